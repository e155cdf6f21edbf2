package dataset_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/line-ood/goline/dataset"
	"github.com/line-ood/goline/nets"
)

// animals writes a folder with two classes.
func animals() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "animals")
	if err != nil {
		log.Fatal(err)
	}
	for i, name := range []string{"cat/1.png", "cat/2.png", "dog/1.png"} {
		im := image.NewGray(image.Rect(0, 0, 40, 30))
		im.SetGray(20, 15, color.Gray{Y: uint8(i)})
		var b bytes.Buffer
		file := filepath.Join(dir, name)
		if err := png.Encode(&b, im); err != nil {
			log.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	return dir, func() { os.RemoveAll(dir) }
}

func ExampleOpen() {
	dir, remove := animals()
	defer remove()
	d, err := dataset.Open("folder:" + dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	for i, label := range d.Labels() {
		img, err := d.Image(i)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s: %d x %d pixels\n", d.ID(i), d.Classes()[label], img.Width, img.Height)
	}
	// Output:
	// cat/1.png cat: 40 x 30 pixels
	// cat/2.png cat: 40 x 30 pixels
	// dog/1.png dog: 40 x 30 pixels
}

func ExampleOpenFS() {
	var cat bytes.Buffer
	if err := png.Encode(&cat, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		log.Fatal(err)
	}
	files := fstest.MapFS{"animals/cat/1.png": {Data: cat.Bytes()}} // an embed.FS or a zip archive, say
	d, err := dataset.OpenFS(files, "folder:animals")
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	fmt.Println(d.ID(0), d.Classes())
	// Output: cat/1.png [cat]
}

func ExampleIncludes() {
	dir, remove := animals()
	defer remove()
	for _, out := range []string{"cat/new.png", "scores.csv"} {
		reads, err := dataset.Includes(dir, filepath.Join(dir, out))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(out, reads)
	}
	// Output:
	// cat/new.png true
	// scores.csv false
}

func ExampleBatches() {
	dir, remove := animals()
	defer remove()
	d, err := dataset.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	for batch, err := range dataset.Batches(context.Background(), d, nets.CIFAR(), dataset.BatchOptions{Size: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(batch.N, batch.Labels, len(batch.X) == batch.N*3*32*32)
		batch.Release()
	}
	// Output:
	// 2 [0 0] true
	// 1 [1] true
}

func ExamplePreprocessor() {
	p, err := dataset.NewPreprocessor(nets.Preprocessing{Resize: 256, Crop: 224, Std: [3]float32{1, 1, 1}})
	if err != nil {
		log.Fatal(err)
	}
	white := dataset.Image{Pix: bytes.Repeat([]byte{255}, 3*300*400), Height: 300, Width: 400}
	x := make([]float32, 3*224*224)
	if err := p.Apply(x, white); err != nil {
		log.Fatal(err)
	}
	fmt.Println(x[0], x[len(x)-1])
	// Output: 1 1
}

func ExampleLimit() {
	dir, remove := animals()
	defer remove()
	d, err := dataset.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	two, err := dataset.Limit(d, 2)
	if err != nil {
		log.Fatal(err)
	}
	dogs, err := dataset.Subset(d, []int{2})
	if err != nil {
		log.Fatal(err)
	}
	both, err := dataset.Concat(dogs, two)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(both.Labels())
	// Output: [1 0 0]
}

func ExampleFromImage() {
	im := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	im.SetNRGBA(0, 0, color.NRGBA{R: 10, G: 20, B: 30, A: 255})
	im.SetNRGBA(1, 0, color.NRGBA{R: 40, G: 50, B: 60}) // fully transparent
	m := dataset.FromImage(im)
	fmt.Println(m.Height, m.Width, m.Pix)
	// Output: 1 2 [10 20 30 40 50 60]
}

func ExampleFromImages() {
	black := dataset.FromImage(image.NewGray(image.Rect(0, 0, 8, 8)))
	d, err := dataset.FromImages("camera", []dataset.Image{black, black}, []int{1, -1}, []string{"day", "night"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.ID(0), d.Classes()[d.Labels()[0]])
	// Output: camera#0 night
}

func ExampleStream() {
	frames := func(yield func(image.Image, error) bool) {
		for i := range 3 {
			im := image.NewGray(image.Rect(0, 0, 64, 48))
			im.SetGray(30, 20, color.Gray{Y: uint8(i)})
			if !yield(im, nil) {
				return
			}
		}
	}
	for batch, err := range dataset.Stream(context.Background(), frames, nets.CIFAR(), dataset.BatchOptions{Size: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(batch.N, len(batch.X) == batch.N*3*32*32)
		batch.Release()
	}
	// Output:
	// 2 true
	// 1 true
}

func ExampleStreamChannel() {
	pictures := make(chan dataset.Labelled)
	go func() {
		defer close(pictures)
		for i := range 3 {
			pictures <- dataset.Labelled{Image: image.NewGray(image.Rect(0, 0, 64, 48)), Label: i}
		}
	}()
	for batch, err := range dataset.StreamChannel(context.Background(), pictures, nets.CIFAR(),
		dataset.BatchOptions{Size: 2}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(batch.Labels)
		batch.Release()
	}
	// Output:
	// [0 1]
	// [2]
}
