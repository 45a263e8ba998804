package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	// connectPatience is how long one login or join may take.
	connectPatience = 30 * time.Second

	// connecting is how many logins or joins may be under way at once. What is due beyond waits, and the wait counts.
	connecting = 64
)

// crew is the sessions of a run.
type crew struct {
	plan     *plan
	driver   Driver
	clock    *clock
	token    func(uid string) (string, error)
	inboxes  []*inbox
	sessions []Session
	times    timetable
	present  []int // the sessions that the connect phase logs in
	target   wire.Server
	tokens   []string // by session, once made
	logins   metric
	joins    metric
}

func newCrew(p *plan, l *ledger, c *clock, o Options, times timetable) *crew {
	crew := &crew{
		plan: p, driver: o.Driver, clock: c, token: o.Token, inboxes: l.inboxes, sessions: make([]Session, len(p.uids)),
		tokens: make([]string, len(p.uids)),
		times:  times,
		logins: metricLogin, joins: metricJoin,
	}
	for session, role := range p.roles {
		if role != roleReserve && p.mine.has(int32(session)) {
			crew.present = append(crew.present, session)
		}
	}
	if p.has(OpLogin) {
		crew.logins = metricConnectLogin
	}
	if p.has(OpJoin) {
		crew.joins = metricConnectJoin
	}
	return crew
}

// login opens all sessions of this process, each when it is due. The first one goes alone, so that a server that is not
// there is reported once and at once.
func (c *crew) login(ctx context.Context) error {
	begin := max(c.clock.now(), c.times.connect)
	due := newConstant(c.plan.Sessions.Rate, maxPhase)
	at := begin + due.due(c.present[0])
	wait(ctx, time.Duration(at-c.clock.now()))
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.loginOne(ctx, c.present[0], at); err != nil {
		return err
	}
	if err := c.checkServer(); err != nil {
		return err
	}
	return c.each(ctx, len(c.present)-1, begin, picked{due, c.present[1:]}, func(ctx context.Context, i int, due int64) error {
		return c.loginOne(ctx, c.present[i+1], due)
	})
}

// picked is those operations of a schedule that this process has to do.
type picked struct {
	schedule
	numbers []int
}

func (p picked) count() int      { return len(p.numbers) }
func (p picked) due(i int) int64 { return p.schedule.due(p.numbers[i]) }

func (c *crew) loginOne(ctx context.Context, i int, due int64) error {
	session, err := c.open(ctx, i)
	if err != nil {
		return fmt.Errorf("session %s: %w", c.plan.uids[i], err)
	}
	c.sessions[i] = session
	c.inboxes[i].shard.record([]sample{{c.logins, c.clock.now() - due}}, tally{})
	return nil
}

// open logs session number i in.
func (c *crew) open(ctx context.Context, i int) (Session, error) {
	token, err := c.tokenOf(i)
	if err != nil {
		return nil, err
	}
	login := Login{UID: c.plan.uids[i], Token: token}
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	inbox := c.inboxes[i]
	inbox.ended.Store(false)
	inbox.ledger.target.opens()
	session, err := c.driver.Open(ctx, login, inbox)
	if err != nil {
		inbox.ledger.target.closed()
	}
	if failure, is := errors.AsType[*Failure](err); is && failure.Class == ClassAuth {
		c.tokens[i] = "" // it may have expired
	}
	return session, err
}

// tokenOf returns the token of session number i. It is made once, so that who logs in again and again waits for the server
// and not for the maker of tokens.
func (c *crew) tokenOf(i int) (token string, err error) {
	if c.token == nil || c.tokens[i] != "" {
		return c.tokens[i], nil
	}
	if c.tokens[i], err = c.token(c.plan.uids[i]); err != nil {
		return "", fmt.Errorf("no token: %w", err)
	}
	return c.tokens[i], nil
}

// equip makes the tokens of the sessions that log in later.
func (c *crew) equip(ctx context.Context) error {
	var reserve []int
	for session, role := range c.plan.roles {
		if role == roleReserve && c.plan.mine.has(int32(session)) {
			reserve = append(reserve, session)
		}
	}
	return c.each(ctx, len(reserve), c.clock.now(), newConstant(maxRate, maxPhase), func(_ context.Context, i int, _ int64) error {
		if _, err := c.tokenOf(reserve[i]); err != nil {
			return fmt.Errorf("session %s: %w", c.plan.uids[reserve[i]], err)
		}
		return nil
	})
}

// join makes every session a member of its channels. A session's joins follow each other; sessions take turns.
func (c *crew) join(ctx context.Context) error {
	type place struct{ session, channel int32 }
	var places []place
	var mine []int
	number := 0
	for depth := 0; number < c.plan.joinedBy; depth++ {
		for session, channels := range c.plan.joins {
			if depth >= len(channels) {
				continue
			}
			if c.plan.mine.has(int32(session)) {
				places, mine = append(places, place{int32(session), channels[depth]}), append(mine, number)
			}
			number++
		}
	}
	begin := max(c.clock.now(), c.times.join)
	due := picked{newConstant(c.plan.Sessions.JoinRate, maxPhase), mine}
	return c.each(ctx, len(places), begin, due, func(ctx context.Context, i int, due int64) error {
		p := places[i]
		ctx, cancel := context.WithTimeout(ctx, connectPatience)
		defer cancel()
		channel := c.plan.channels[p.channel].name
		if err := c.sessions[p.session].Join(ctx, channel); err != nil {
			return fmt.Errorf("session %s, channel %s: %w", c.plan.uids[p.session], channel, err)
		}
		c.inboxes[p.session].shard.record([]sample{{c.joins, c.clock.now() - due}}, tally{})
		return nil
	})
}

// each starts n operations, each when it is due, and waits for all. The first error stops the rest.
func (c *crew) each(ctx context.Context, n int, begin int64, s schedule, do func(ctx context.Context, i int, due int64) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var tasks sync.WaitGroup
	places := make(chan struct{}, connecting)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range n {
		due := begin + s.due(i)
		timer.Reset(time.Duration(max(due-c.clock.now(), 0)))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		places <- struct{}{}
		tasks.Go(func() {
			if err := do(ctx, i, due); err != nil {
				stop(err)
			}
			<-places
		})
	}
	tasks.Wait()
	return context.Cause(ctx)
}

// checkServer compares the workload with the limits that the server announced at the first login.
func (c *crew) checkServer() error {
	first := c.sessions[c.present[0]]
	server, limits := first.Server()
	c.target = server
	p := c.plan.checkAbilities(first)
	if p == nil {
		p = c.plan.checkAllowance(limits)
	}
	if p != nil {
		return &WorkloadError{Err: fmt.Errorf("workload %s: %w", c.plan.Name, *p)}
	}
	return nil
}

// close ends all sessions, at most connecting at once, and waits until none of them can handle anything any more.
func (c *crew) close(ctx context.Context) error {
	var tasks sync.WaitGroup
	places := make(chan struct{}, connecting)
	failures := make([]error, len(c.sessions))
	for i, session := range c.sessions {
		if session == nil {
			continue
		}
		places <- struct{}{}
		tasks.Go(func() {
			if failures[i] = session.Close(ctx); failures[i] != nil {
				// It broke off instead, and nothing is handled any more.
				c.inboxes[i].ends = append(c.inboxes[i].ends, c.clock.now())
			}
			<-places
		})
	}
	tasks.Wait()
	return errors.Join(failures...)
}
