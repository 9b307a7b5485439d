package control

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/disagg/disagg/pkg/decide/session"
	"github.com/disagg/disagg/pkg/protocol"
)

// A frame that says it is larger than its reader takes is refused before anything of it is read.
func TestFrameBounds(t *testing.T) {
	for name, tt := range map[string]struct{ data, err string }{
		"too large":  {"\x00\x00\x00\x05" + `"abc"`, "a frame of 5 bytes: want at most 4"},
		"too short":  {"\x00\x00\x00\x04" + `12`, "unexpected EOF"},
		"no length":  {"\x00\x00", "unexpected EOF"},
		"no JSON":    {"\x00\x00\x00\x02" + `{x`, "invalid character"},
		"nothing":    {"", "EOF"},
		"as it is":   {"\x00\x00\x00\x04" + `1234`, ""},
		"wrong type": {"\x00\x00\x00\x04" + `"ab"`, "cannot unmarshal"},
	} {
		var v int
		err := readFrame(strings.NewReader(tt.data), 4, &v)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFrame: whatever a peer sends, reading it ends without harm, and no message that is not valid is handed on.
func FuzzFrame(f *testing.F) {
	for _, e := range []protocol.Event{
		{Kind: protocol.EventReady}, {Kind: protocol.EventExited, Outcome: &protocol.Outcome{}}, {},
	} {
		items := []session.Numbered[protocol.Event]{{Seq: 1, Body: e}}
		data, err := json.Marshal(session.Frame[protocol.Event]{Ack: 1, Items: items})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{0, 0, 0, byte(len(data))}, data...))
	}
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newConversation[protocol.Command, protocol.Event](newSteady())
		err := c.read(bytes.NewReader(data), time.Second, func(time.Time) {}, func(e protocol.Event) error {
			return e.Validate()
		})
		if err == nil {
			t.Error("a conversation never ends without a reason")
		}
	})
}

// FuzzReceive: whatever a stranger sends to the hub, it is given nothing but the proof that the hub knows the token.
func FuzzReceive(f *testing.F) {
	greet, err := json.Marshal(greeting{Version: protocolVersion, Challenge: make([]byte, challengeSize)})
	if err != nil {
		f.Fatal(err)
	}
	wishes, err := json.Marshal(request{Proof: make([]byte, 32), Body: json.RawMessage(`{"hello":{}}`)})
	if err != nil {
		f.Fatal(err)
	}
	hello := append([]byte{0, 0, 0, byte(len(greet))}, greet...)
	f.Add(hello)
	f.Add(append(append(hello, 0, 0, 0, byte(len(wishes))), wishes...))
	f.Fuzz(func(t *testing.T, data []byte) {
		hub, stranger := net.Pipe()
		defer hub.Close()
		go func() {
			defer stranger.Close()
			go func() { _, _ = io.Copy(io.Discard, stranger) }()
			_, _ = stranger.Write(data)
		}()
		if w, err := receive(hub, "token", time.Second); err == nil {
			t.Errorf("a stranger may state a wish: %+v", w)
		}
	})
}
