package control

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"
)

// Bounds of a frame, in bytes: of a stranger's, of one that brings a request with its proof, and of a peer's.
const (
	maxStranger = 1 << 10
	maxRequest  = 256 << 10
	maxFrame    = 8 << 20
)

// writeFrame sends a value as JSON behind its length, four bytes in network order.
func writeFrame(conn net.Conn, timeout time.Duration, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	packet := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), uint32(len(data)))
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("cannot send: %w", err)
	}
	if _, err := conn.Write(append(packet, data...)); err != nil {
		return fmt.Errorf("cannot send: %w", err)
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
