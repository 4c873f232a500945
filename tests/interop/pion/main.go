// Two allocations by pion/turn send to each other's relay: 50 datagrams each way.
//
// usage: pion HOST:PORT udp|tcp|tls|dtls USER CA   (the password comes on stdin)
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"github.com/pion/dtls/v2"
	"github.com/pion/turn/v2"
)

const count = 50

// An association that carries one message a datagram.
type datagrams struct{ net.Conn }

func (d datagrams) ReadFrom(p []byte) (int, net.Addr, error) {
	size, err := d.Read(p)
	return size, d.RemoteAddr(), err
}

func (d datagrams) WriteTo(p []byte, _ net.Addr) (int, error) { return d.Write(p) }

func authorities(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return roots, err
}

func dial(address, transport, authority string) (net.PacketConn, error) {
	switch transport {
	case "udp":
		return net.ListenPacket("udp", ":0")
	case "tcp":
		stream, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(stream), nil
	case "dtls":
		roots, err := authorities(authority)
		if err != nil {
			return nil, err
		}
		server, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			return nil, err
		}
		conn, err := dtls.Dial("udp", server, &dtls.Config{RootCAs: roots, ServerName: "turn.test"})
		if err != nil {
			return nil, err
		}
		return datagrams{conn}, nil
	default:
		roots, err := authorities(authority)
		if err != nil {
			return nil, err
		}
		stream, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(stream), nil
	}
}

func allocate(address, transport, user, password, authority string) (*turn.Client, net.PacketConn) {
	conn, err := dial(address, transport, authority)
	if err != nil {
		log.Fatalf("connect: %v", err)
	}
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: address, TURNServerAddr: address, Conn: conn,
		Username: user, Password: password, Software: "pion"})
	if err != nil {
		log.Fatalf("client: %v", err)
	}
	if err = client.Listen(); err != nil {
		log.Fatalf("listen: %v", err)
	}
	relay, err := client.Allocate()
	if err != nil {
		log.Fatalf("allocate: %v", err)
	}
	return client, relay
}

func pass(from, to net.PacketConn, number int) {
	text := fmt.Sprintf("number %d", number)
	if _, err := from.WriteTo([]byte(text), to.LocalAddr()); err != nil {
		log.Fatalf("send: %v", err)
	}
	buffer := make([]byte, 1500)
	_ = to.SetReadDeadline(time.Now().Add(10 * time.Second))
	size, peer, err := to.ReadFrom(buffer)
	if err != nil || string(buffer[:size]) != text || peer.String() != from.LocalAddr().String() {
		log.Fatalf("expected %q of %v, got %q of %v: %v", text, from.LocalAddr(), buffer[:size], peer, err)
	}
}

func main() {
	log.SetFlags(0)
	address, transport, user, authority := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	password, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	password = strings.TrimSpace(password)
	one, oneRelay := allocate(address, transport, user, password, authority)
	other, otherRelay := allocate(address, transport, user, password, authority)
	// A first datagram each way makes pion ask for the permission; only then may the other send.
	if err := one.CreatePermission(otherRelay.LocalAddr()); err != nil {
		log.Fatalf("permission: %v", err)
	}
	if err := other.CreatePermission(oneRelay.LocalAddr()); err != nil {
		log.Fatalf("permission: %v", err)
	}
	for number := 0; number < count; number++ {
		pass(oneRelay, otherRelay, number)
		pass(otherRelay, oneRelay, number)
	}
	for _, end := range []net.PacketConn{oneRelay, otherRelay} {
		if err := end.Close(); err != nil {
			log.Fatalf("close: %v", err)
		}
	}
	one.Close()
	other.Close()
	fmt.Printf("%d of %d\n", 2*count, 2*count)
}
