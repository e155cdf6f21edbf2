package attribute

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"github.com/line-ood/goline/attribution"
	"github.com/line-ood/goline/internal/cli/command"
)

// playCommand is one "attribute play" command line.
type playCommand struct {
	command.Common
	gameFlags
}

func newPlay() *cobra.Command {
	var p playCommand
	cmd := &cobra.Command{
		Use:   "play --net NAME --weights FILE --data DATA",
		Short: "Serve the games of images to another program on standard input and output",
		Long: `Give other programs the values of coalitions, so that their estimators play the same games: attribution/testdata/goline_game.py is a
client for Python.

Standard output begins with one line of JSON: the number of players, and for each game its name, class, and the image it is of. After
that each request on standard input is answered in turn, all numbers little-endian:
  request   uint32 game, uint32 coalitions, then coalitions x players bytes, 1 for a player that is present and 0 for one that is not
  answer    uint32 coalitions, then as many float64 values; or uint32 0xffffffff, uint32 length and a message of so many bytes
The end of standard input ends the program.`,
		Args: command.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := p.gameFlags.check(cmd.Flags().Changed("images"))
			if err != nil {
				return err
			}
			s, err := newStage(&p.Common, plan)
			if err != nil {
				return err
			}
			subjects, err := s.subjects(cmd.Context())
			if err != nil {
				return err
			}
			return serveGames(cmd.Context(), subjects, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	p.Common.Register(cmd)
	p.gameFlags.register(cmd, 1)
	return cmd
}

// playedGame describes a game in the first line of output.
type playedGame struct {
	Name  string `json:"name"`
	Image int    `json:"image"`
	Class int    `json:"class"`
}

const (
	// mostRequested is the largest size in bytes of the coalitions in one request.
	mostRequested = 256 << 20
	// failedAnswer takes the place of the number of coalitions in an answer that is an error.
	failedAnswer uint32 = math.MaxUint32
)

// serveGames describes the games on out and answers requests from in until in ends.
func serveGames(ctx context.Context, subjects []subject, in io.Reader, out io.Writer) error {
	players := subjects[0].Game.Players()
	heading := struct {
		Players int          `json:"players"`
		Games   []playedGame `json:"games"`
	}{Players: players}
	for _, s := range subjects {
		heading.Games = append(heading.Games, playedGame{s.Name, s.Image, s.Class})
	}
	line, err := json.Marshal(heading)
	if err != nil {
		return err
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		return err
	}
	requests := bufio.NewReaderSize(in, 1<<16)
	var asked bytes.Buffer
	for {
		var ask struct{ Game, Coalitions uint32 }
		if err := binary.Read(requests, binary.LittleEndian, &ask); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("standard input: expected a request of two numbers: %w", err)
		}
		if int64(ask.Coalitions)*int64(players) > mostRequested {
			return fmt.Errorf("standard input: expected at most %d coalitions of %d players in one request, got %d",
				mostRequested/players, players, ask.Coalitions)
		}
		asked.Reset() // the buffer grows with the bytes that arrive, not with the number that a request announces
		if n, err := io.CopyN(&asked, requests, int64(ask.Coalitions)*int64(players)); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("standard input: expected %d coalitions of %d players, got %d bytes: %w", ask.Coalitions,
				players, n, err)
		}
		values, err := answer(ctx, subjects, ask.Game, players, asked.Bytes())
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err := writeAnswer(out, values, err); err != nil {
			return err
		}
	}
}

// answer evaluates coalitions of a game.
func answer(ctx context.Context, subjects []subject, game uint32, players int, mask []byte) ([]float64, error) {
	if int64(game) >= int64(len(subjects)) {
		return nil, fmt.Errorf("expected a game below %d, got %d", len(subjects), game)
	}
	s := attribution.NewCoalitions(players, len(mask)/players)
	for r := range s.Len() {
		row := s.Row(r)
		for i, b := range mask[r*players : (r+1)*players] {
			switch b {
			case 0:
			case 1:
				row.Add(i)
			default:
				return nil, fmt.Errorf("coalition %d: expected 0 or 1 for player %d, got %d", r, i, b)
			}
		}
	}
	values := make([]float64, s.Len())
	if s.Len() == 0 {
		return values, nil
	}
	return values, subjects[game].Game.Values(ctx, s, values)
}

// writeAnswer writes the values, or the error if there was one.
func writeAnswer(out io.Writer, values []float64, problem error) error {
	var b []byte
	if problem != nil {
		text := problem.Error()
		b = binary.LittleEndian.AppendUint32(b, failedAnswer)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(values)))
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
	}
	_, err := out.Write(b)
	return err
}
