package attribute

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/line-ood/goline/attribution/games"
)

// playTogether sends requests to serveGames with two games of three players.
func playTogether(t *testing.T, requests []byte) (*bytes.Buffer, error) {
	t.Helper()
	var subjects []subject
	for g := range 2 {
		v := make([]float64, 8)
		for s := range v {
			v[s] = float64(10*g + s)
		}
		table, err := games.NewTable(v)
		require.NoError(t, err)
		subjects = append(subjects, subject{Name: []string{"one", "two"}[g], Image: g, Class: 4, Game: table})
	}
	var out bytes.Buffer
	err := serveGames(context.Background(), subjects, bytes.NewReader(requests), &out)
	line, bad := out.ReadBytes('\n')
	require.NoError(t, bad)
	var heading struct {
		Players int
		Games   []playedGame
	}
	require.NoError(t, json.Unmarshal(line, &heading))
	assert.Equal(t, 3, heading.Players)
	assert.Equal(t, []playedGame{{"one", 0, 4}, {"two", 1, 4}}, heading.Games)
	return &out, err
}

func request(game, coalitions uint32, mask ...byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, game)
	return append(binary.LittleEndian.AppendUint32(b, coalitions), mask...)
}

func TestServeGames(t *testing.T) {
	ask := append(request(1, 2, 1, 0, 1, 0, 0, 0), request(0, 0)...)
	ask = append(ask, request(2, 1, 0, 0, 0)...)
	ask = append(ask, request(0, 1, 0, 7, 0)...)
	ask = append(ask, request(0, 1, 1, 1, 1)...)
	out, err := playTogether(t, ask)
	require.NoError(t, err)
	number := func() uint32 {
		var n uint32
		require.NoError(t, binary.Read(out, binary.LittleEndian, &n))
		return n
	}
	values := func(want ...float64) {
		t.Helper()
		got := make([]float64, number())
		require.NoError(t, binary.Read(out, binary.LittleEndian, got))
		assert.Equal(t, append([]float64{}, want...), got)
	}
	message := func() string {
		require.Equal(t, failedAnswer, number())
		text := make([]byte, number())
		_, err := io.ReadFull(out, text)
		require.NoError(t, err)
		return string(text)
	}
	values(15, 10) // players 0 and 2 have the bits 1 and 4
	values()
	assert.Equal(t, "expected a game below 2, got 2", message())
	assert.Equal(t, "coalition 0: expected 0 or 1 for player 1, got 7", message())
	values(7)
	assert.Zero(t, out.Len())
}

func TestServeGamesBrokenRequests(t *testing.T) {
	for _, c := range []struct {
		ask  []byte
		want string
	}{
		{[]byte{1, 2, 3}, "expected a request of two numbers"},
		{request(0, 2, 1, 1, 1, 0), "expected 2 coalitions of 3 players"},
		{request(0, 1<<31), "expected at most"},
		{request(0, 1<<20, 1), "expected 1048576 coalitions of 3 players, got 1 bytes: unexpected EOF"},
	} {
		_, err := playTogether(t, c.ask)
		assert.ErrorContains(t, err, c.want)
	}
}

// FuzzServeGames: no request crashes the server.
func FuzzServeGames(f *testing.F) {
	table, err := games.NewTable([]float64{0, 1, 2, 3})
	require.NoError(f, err)
	f.Add(request(0, 1, 1, 0))
	f.Add(request(9, 1, 1, 0))
	f.Fuzz(func(t *testing.T, ask []byte) {
		_ = serveGames(context.Background(), []subject{{Name: "g", Game: table}}, bytes.NewReader(ask), io.Discard)
	})
}
