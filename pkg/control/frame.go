package control

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// Bounds of a frame, in bytes: of a stranger's, of one that brings a request with its proof, and of a peer's. No
// message is added to a frame that is larger than smallFrame with it.
const (
	maxStranger = 1 << 10
	maxRequest  = 256 << 10
	maxFrame    = 8 << 20
	smallFrame  = 64 << 10
)

// piece is how much must be sent within the timeout of a write, in bytes: a slow network is none that hangs.
const piece = 16 << 10

// writeFrame sends a value as JSON after its length, four bytes in network order. The timeout is of each piece.
func writeFrame(conn net.Conn, timeout time.Duration, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	packet := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), uint32(len(data)))
	for part := range slices.Chunk(append(packet, data...), piece) {
		if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return fmt.Errorf("cannot send: %w", err)
		}
		if _, err := conn.Write(part); err != nil {
			return fmt.Errorf("cannot send: %w", err)
		}
	}
	return nil
}

// readFrame receives a value of at most so many bytes.
func readFrame(r io.Reader, most int, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("cannot receive: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > uint32(most) {
		return fmt.Errorf("cannot receive: a frame of %d bytes: want at most %d", size, most)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return fmt.Errorf("cannot receive: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("cannot receive: %w", err)
	}
	return nil
}
