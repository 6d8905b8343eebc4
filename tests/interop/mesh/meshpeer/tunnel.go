package main

import (
	"context"
	"io"
	"log"
	"net"

	p2phttp "github.com/libp2p/go-libp2p-http"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Streams of /libp2p-http that a test speaks for itself over TCP on loopback, byte for byte: net/http would
// neither send nor answer what the recorded exchanges have.

// carryHTTP hands each stream that others open to a connection to addr, in place of our own server.
func (n *node) carryHTTP(addr string) {
	n.h.SetStreamHandler(p2phttp.DefaultP2PProtocol, func(s network.Stream) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			log.Printf("raw http: %v", err)
			s.Reset()
			return
		}
		carry(s, c.(*net.TCPConn))
	})
}

// tunnel listens on loopback; each connection to it becomes a stream to the peer.
func (n *node) tunnel(peerID string) (answer, error) {
	id, err := peer.Decode(peerID)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	context.AfterFunc(n.ctx, func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go n.toStream(id, c.(*net.TCPConn))
		}
	}()
	return answer{"at": l.Addr().String()}, nil
}

func (n *node) toStream(id peer.ID, c *net.TCPConn) {
	s, err := n.h.NewStream(n.ctx, id, p2phttp.DefaultP2PProtocol)
	if err != nil {
		log.Printf("tunnel: %v", err)
		reset(c)
		return
	}
	carry(s, c)
}

func reset(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

// carry copies both ways until both ends came. An end of one direction is passed on as that, a reset as one.
func carry(s network.Stream, c *net.TCPConn) {
	out := make(chan error)
	go func() {
		_, err := io.Copy(s, c)
		if err != nil {
			s.Reset()
		} else {
			err = s.CloseWrite()
		}
		out <- err
	}()
	_, err := io.Copy(c, s)
	if err != nil {
		s.Reset()
		reset(c)
	} else {
		c.CloseWrite()
	}
	if <-out != nil {
		reset(c)
	}
	c.Close()
	s.Close()
}
