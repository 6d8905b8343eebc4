package main

import (
	"bytes"
	"fmt"
	"io"
)

// The pattern of ../README.md, one whole period.
const period = 1 << 24

var pattern = func() []byte {
	p := make([]byte, period)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}()

// patternAt is a piece of the pattern from offset i on, at most n bytes and never empty.
func patternAt(i, n int64) []byte {
	at := i % period
	return pattern[at:min(at+n, period)]
}

// writePattern writes n pattern bytes from offset i on.
func writePattern(w io.Writer, i, n int64) error {
	for n > 0 {
		piece := patternAt(i, min(n, 1<<16))
		if _, err := w.Write(piece); err != nil {
			return err
		}
		i, n = i+int64(len(piece)), n-int64(len(piece))
	}
	return nil
}

// readPattern reads exactly n bytes and compares them with the pattern from offset i on.
func readPattern(r io.Reader, i, n int64, buf []byte) error {
	for n > 0 {
		got, err := r.Read(buf[:min(n, int64(len(buf)))])
		for part := buf[:got]; len(part) > 0; {
			want := patternAt(i, int64(len(part)))
			if !bytes.Equal(part[:len(want)], want) {
				return fmt.Errorf("wrong byte at pattern offset %d or up to %d later", i, len(want)-1)
			}
			i, n, part = i+int64(len(want)), n-int64(len(want)), part[len(want):]
		}
		if err == io.EOF && n > 0 {
			return fmt.Errorf("the stream ended %d bytes early", n)
		}
		if err != nil && n > 0 {
			return err
		}
	}
	return nil
}

// readEnd reads the end of the stream, before which nothing may come.
func readEnd(r io.Reader) error {
	var extra [1]byte
	n, err := r.Read(extra[:])
	if n > 0 {
		return fmt.Errorf("bytes after the expected end")
	}
	if err == io.EOF {
		return nil
	}
	if err == nil {
		return readEnd(r)
	}
	return err
}
