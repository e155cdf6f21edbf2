package notebook_test

import (
	"fmt"
	"image"
	"os"

	"github.com/line-ood/goline/notebook"
)

// Outside of a notebook each value that is shown becomes a file.
func ExampleOutput() {
	dir := notebook.Must(os.MkdirTemp("", "shown"))
	defer os.RemoveAll(dir)
	notebook.Check(os.Chdir(dir)) // so that the names below are short
	out := notebook.NewFiles("shown")
	t := notebook.Table{Header: []string{"method", "AUROC"}}
	t.Add("line", 0.9866)
	g := notebook.Gallery{Title: "the darkest picture"}
	g.Add(image.NewGray(image.Rect(0, 0, 8, 8)), -1.5, "coat")
	if err := out.Show(&t, &g, image.NewGray(image.Rect(0, 0, 8, 8)), "a line of text"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// shown/01.html
	// shown/02.html
	// shown/03.png
	// shown/04.txt
}

// A progress bar and a value that change; each keeps its place among the outputs.
func ExampleProgress() {
	dir := notebook.Must(os.MkdirTemp("", "shown"))
	defer os.RemoveAll(dir)
	notebook.Check(os.Chdir(dir)) // so that the names below are short
	out := notebook.NewFiles("shown")
	bar, best := out.Progress("searching"), out.Live()
	for i := range 3 {
		bar.Update("grid", i+1, 3)
		notebook.Check(best.Show(i * i))
	}
	text := notebook.Must(os.ReadFile("shown/02.txt"))
	fmt.Printf("at the end: %s", text)
	// Output:
	// shown/01.html
	// shown/02.txt
	// at the end: 4
}
