package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Weather is how bad the network of a host is, in either direction. Packets stay in order.
type Weather struct {
	Delay, Jitter time.Duration // of every packet
	Loss          float64       // share of packets that are lost, from 0 to 1
}

// Air is the network of a host whose packets pass through this process, which delays and loses them: what netem does
// where the kernel has it. Its cable is a pair of TAP devices instead of virtual Ethernet.
type Air struct {
	lab      *Lab
	host     string
	hardware string      // address: with another the host would not be found until the others have asked again for it
	ends     [2]*os.File // the machine's, which is plugged into the switch, and the host's
	wg       sync.WaitGroup

	mu      sync.Mutex
	weather Weather
}

// Spoil takes a host's cable away and carries its packets instead, until the Air is closed. Connections live on.
func (l *Lab) Spoil(host string, w Weather) (*Air, error) {
	a := &Air{lab: l, host: host, weather: w}
	err := l.checkHost(host)
	if err == nil {
		a.hardware, err = l.hardware(host)
	}
	if err == nil {
		err = l.dir.ipBatch(context.Background(), "link del "+cable(host)+"\n")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot take the cable of %s away: %w", host, err)
	}
	if err := a.begin(); err != nil {
		return nil, fmt.Errorf("cannot carry the packets of %s: %w", host, errors.Join(err, a.Close()))
	}
	return a, nil
}

// begin makes the pair of devices and begins to carry.
func (a *Air) begin() (err error) {
	l, d := a.lab, a.lab.dir
	if a.ends[0], err = openTAP(cable(a.host)); err != nil {
		return err
	}
	hostEnd := func() (*os.File, error) { return openTAP("eth0") }
	if a.ends[1], err = inNetwork(d.pin(a.host, "net"), hostEnd); err != nil {
		return err
	}
	if err := l.ipOn(a.host, fmt.Sprintf("link set eth0 address %s\naddr add %s/24 dev eth0\nlink set eth0 up\n",
		a.hardware, address(a.host))); err != nil {
		return err
	}
	a.wg.Go(func() { a.carry(a.ends[0], a.ends[1]) })
	a.wg.Go(func() { a.carry(a.ends[1], a.ends[0]) })
	return d.plug(context.Background(), []string{a.host})
}

// Set changes the weather.
func (a *Air) Set(w Weather) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.weather = w
}

func (a *Air) now() Weather {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.weather
}

// Close gives the host its cable back.
func (a *Air) Close() error {
	for _, end := range a.ends {
		if end != nil {
			_ = end.Close()
		}
	}
	a.wg.Wait()
	if err := a.lab.ipOn(a.host, hostLinks(a.host, os.Getpid())+"link set eth0 address "+a.hardware+"\n"); err != nil {
		return err
	}
	return a.lab.dir.plug(context.Background(), []string{a.host})
}

// mostOnTheWay is how many packets may be on the way in a direction: what is beyond is lost, as in a switch.
const mostOnTheWay = 4096

// packet is one that arrives at a moment.
type packet struct {
	at   time.Time
	data []byte
}

// carry carries packets in one direction until an end is closed.
func (a *Air) carry(from, to *os.File) {
	way := make(chan packet, mostOnTheWay)
	a.wg.Go(func() {
		for p := range way {
			time.Sleep(time.Until(p.at))
			_, _ = to.Write(p.data)
		}
	})
	defer close(way)
	var last time.Time
	for {
		data := make([]byte, 2048) // more than the largest frame
		n, err := from.Read(data)
		if err != nil {
			return
		}
		w := a.now()
		if rand.Float64() < w.Loss { //nolint:gosec // no secret
			continue
		}
		jitter := (2*rand.Float64() - 1) * float64(w.Jitter) //nolint:gosec // no secret
		at := time.Now().Add(w.Delay + time.Duration(jitter))
		if at.Before(last) {
			at = last
		}
		last = at
		select {
		case way <- packet{at, data[:n]}:
		default:
		}
	}
}

// openTAP makes a TAP device in the network namespace of the thread. It vanishes when it is closed.
func openTAP(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("cannot make the device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// inNetwork does something in a network namespace, on a thread that is back in its own afterwards.
func inNetwork(pin string, do func() (*os.File, error)) (*os.File, error) {
	there, err := os.Open(pin)
	if err != nil {
		return nil, err
	}
	defer there.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		return nil, err
	}
	defer here.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("cannot join %s: %w", pin, err)
	}
	f, err := do()
	if backErr := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); backErr != nil {
		panic(fmt.Sprintf("a thread cannot return to its network: %v", backErr)) // others would run on it
	}
	return f, err
}

// ipOn runs the lines of a script as ip commands on a host.
func (l *Lab) ipOn(host, script string) error {
	cmd := l.dir.command(context.Background(), host, "/", "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(script)
	_, err := output(cmd)
	return err
}

// hardware is the hardware address of a host.
func (l *Lab) hardware(host string) (string, error) {
	text, err := output(l.dir.command(context.Background(), host, "/", "ip", "-json", "link", "show", "eth0"))
	if err != nil {
		return "", err
	}
	var links []struct{ Address string }
	if err := json.Unmarshal([]byte(text), &links); err != nil || len(links) != 1 {
		return "", fmt.Errorf("cannot read what ip says of eth0: %q", text)
	}
	return links[0].Address, nil
}
