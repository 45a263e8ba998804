package faultnet

import (
	"io"
	"net"
	"sync"
	"time"
)

// link is one connection of a client with its counterpart to the target.
type link struct {
	client, server net.Conn
	up, down       *pipe
	ended          chan struct{}
	end            sync.Once
	swallowing     chan struct{}
	forget         sync.Once
}

func newLink(proxy *Proxy, client, server net.Conn) *link {
	l := &link{client: client, server: server, ended: make(chan struct{}), swallowing: make(chan struct{})}
	l.up = &pipe{link: l, proxy: proxy, direction: ToServer, from: client, to: server}
	l.down = &pipe{link: l, proxy: proxy, direction: ToClient, from: server, to: client}
	return l
}

// run carries both directions until the link has ended. One side that closes for writing only is passed on as such.
func (l *link) run() {
	var pipes sync.WaitGroup
	pipes.Go(l.up.run)
	pipes.Go(l.down.run)
	pipes.Wait()
	l.cut()
}

// cut resets both sides.
func (l *link) cut() {
	l.end.Do(func() {
		close(l.ended)
		reset(l.client)
		reset(l.server)
	})
}

func (l *link) swallow() { l.forget.Do(func() { close(l.swallowing) }) }

func (l *link) swallows() bool {
	select {
	case <-l.swallowing:
		return true
	default:
		return false
	}
}

// pipe is one direction of a link: a reader that stamps what it reads with the time when it is due, and a writer.
type pipe struct {
	link      *link
	proxy     *Proxy
	direction Direction
	from, to  net.Conn
}

// chunk is a piece of the stream on its way. Its error, when there is one, follows its bytes.
type chunk struct {
	data []byte
	due  time.Time
	err  error
}

const (
	chunkBytes  = 4 << 10
	chunksAhead = 64
)

func (p *pipe) run() {
	chunks := make(chan chunk, chunksAhead)
	var reader sync.WaitGroup
	reader.Go(func() { p.read(chunks) })
	p.write(chunks)
	reader.Wait()
}

func (p *pipe) read(chunks chan<- chunk) {
	defer close(chunks)
	for {
		if !p.awaitFlow() {
			return
		}
		conditions, _ := p.proxy.conditions(p.direction)
		buffer := make([]byte, chunkBytes)
		n, err := p.from.Read(buffer)
		select {
		case chunks <- chunk{data: buffer[:n], due: time.Now().Add(conditions.latency), err: err}:
		case <-p.link.ended:
			return
		}
		if err != nil {
			return
		}
	}
}

func (p *pipe) write(chunks <-chan chunk) {
	for chunk := range chunks {
		if !p.pause(time.Until(chunk.due)) || !p.awaitFlow() || !p.writeChunk(chunk.data) {
			return
		}
		if chunk.err != nil {
			p.passEnd(chunk.err)
		}
	}
}

// writeChunk writes in slices, no faster than the rate, and reports whether the link still works.
func (p *pipe) writeChunk(data []byte) bool {
	for len(data) > 0 {
		if p.link.swallows() {
			return true
		}
		conditions, _ := p.proxy.conditions(p.direction)
		size := len(data)
		if conditions.slice > 0 {
			size = min(size, conditions.slice)
		}
		if conditions.rate > 0 {
			// Small enough that a change of the rate is felt within a tenth of a second.
			size = min(size, max(1, conditions.rate/10))
		}
		if _, err := p.to.Write(data[:size]); err != nil {
			p.link.cut()
			return false
		}
		if conditions.rate > 0 && !p.pause(time.Duration(size)*time.Second/time.Duration(conditions.rate)) {
			return false
		}
		data = data[size:]
	}
	return true
}

// awaitFlow waits while the direction is stalled and reports whether the link still works.
func (p *pipe) awaitFlow() bool {
	for {
		conditions, changed := p.proxy.conditions(p.direction)
		if !conditions.stalled {
			return true
		}
		select {
		case <-changed:
		case <-p.link.ended:
			return false
		}
	}
}

// pause waits and reports whether the link still works.
func (p *pipe) pause(delay time.Duration) bool {
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.link.ended:
		return false
	}
}

// passEnd tells the other side that this one has ended, in the way it did.
func (p *pipe) passEnd(err error) {
	if p.link.swallows() {
		<-p.link.ended
		return
	}
	half, ok := p.to.(interface{ CloseWrite() error })
	if err != io.EOF || !ok {
		p.link.cut()
		return
	}
	_ = half.CloseWrite()
}
