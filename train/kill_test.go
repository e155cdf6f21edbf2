package train_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/internal/npyz"
	"github.com/line-ood/goline/internal/racetest"
	"github.com/line-ood/goline/nets"
	"github.com/line-ood/goline/train"
)

// killedRun is the environment variable with the folder in which a child process of TestSurvivesKills works.
const killedRun = "GOLINE_TEST_KILLED_RUN"

// longRun trains with a checkpoint after every third step, and writes the weights at the end.
func longRun(t *testing.T, dir, name string) {
	c := tinyConfig()
	c.Epochs, c.Workers = 75, 2
	c.Checkpoint, c.CheckpointEvery, c.Resume = filepath.Join(dir, name+".checkpoint.npz"), 3, true
	net := tinyNet(t, 1)
	_, err := train.Run(context.Background(), net, waves(t, 150), waves(t, 12), c)
	require.NoError(t, err)
	writeWeights(t, filepath.Join(dir, name+".npz"), net)
}

func writeWeights(t *testing.T, path string, net nets.Classifier) {
	t.Helper()
	var arrays []npyz.Named
	for _, p := range net.Params() {
		arrays = append(arrays, npyz.Named{Name: p.Name, Array: npyz.New(p.Float32s(), p.Shape()...)})
	}
	require.NoError(t, npyz.WriteNpz(path, npyz.Stored, arrays...))
}

// randomMoment returns a channel that fires at a random time: while a child starts or takes its first steps or, with
// afterWrite, up to thirty milliseconds after the next write to the file, so that it works on machines of any speed.
// With longer delays most of the run would end between the kills.
func randomMoment(r *rand.Rand, afterWrite bool, path string) <-chan time.Time {
	if !afterWrite {
		return time.After(time.Duration(20+r.IntN(130)) * time.Millisecond)
	}
	delay := time.Duration(r.IntN(30_000)) * time.Microsecond
	written := func() time.Time {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}
		}
		return info.ModTime()
	}
	before := written()
	moment := make(chan time.Time, 1)
	go func() {
		for range 12_000 { // for at most a minute; a child that is stuck is killed anyway
			if written() != before {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		moment <- <-time.After(delay)
	}()
	return moment
}

// TestSurvivesKills kills a training process twenty times at random moments and restarts it each time. The weights
// must be those of an undisturbed run.
func TestSurvivesKills(t *testing.T) {
	if dir := os.Getenv(killedRun); dir != "" {
		longRun(t, dir, "killed")
		return
	}
	if racetest.On {
		t.Skip("processes share no memory; TestInterruptedRunResumesToTheSameBits goes on within one")
	}
	kills := 20
	if testing.Short() {
		kills = 3
	}
	dir := t.TempDir()
	longRun(t, dir, "whole")
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	killed, left := 0, 0
	for {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSurvivesKills$")
		// A killed child leaves its temporary folders behind; in dir they are removed with the test's own.
		cmd.Env = append(os.Environ(), killedRun+"="+dir, "TMPDIR="+dir, "GOTMPDIR="+dir)
		var text strings.Builder
		cmd.Stdout, cmd.Stderr = &text, &text
		require.NoError(t, cmd.Start())
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		var moment <-chan time.Time
		if killed < kills {
			moment = randomMoment(r, killed%2 == 1, filepath.Join(dir, "killed.checkpoint.npz"))
		}
		var err error
		select {
		case err = <-done:
		case <-moment:
			require.NoError(t, cmd.Process.Kill())
			err = <-done
		}
		if err == nil {
			break
		}
		var exit *exec.ExitError
		require.True(t, errors.As(err, &exit) && exit.ExitCode() == -1, "ended by itself: %v\n%s", err, text.String())
		killed++
		if _, err := os.Stat(filepath.Join(dir, "killed.checkpoint.npz")); err == nil {
			left++
		}
	}
	t.Logf("%d kills, %d of them with a checkpoint to go on from", killed, left)
	require.Positive(t, left)
	want, err := os.ReadFile(filepath.Join(dir, "whole.npz"))
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "killed.npz"))
	require.NoError(t, err)
	require.Equal(t, want, got)
}
