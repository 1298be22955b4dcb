// The matrix program in Go: goroutines whose stacks grow, waits, panics, deferred calls, frames of every kind of stack check.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

// Entries, those without an end, those below the 64th level, and those that end by a jump.
type figure [4]int64

var functions map[string]*figure

var descends, outer, waits, worker, recovers, middle, panics, leaf, huge, fib, unit, deferred, each figure

func enter(f *figure) { atomic.AddInt64(&f[0], 1) }

//go:noinline
func descend(n, level int) int {
	var pad [128]byte
	enter(&descends)
	if level >= 64 {
		atomic.AddInt64(&descends[2], 1)
	}
	pad[n%128] = byte(n)
	if n == 0 {
		return int(pad[0])
	}
	return descend(n-1, level+1) + int(pad[n%128])&1
}

//go:noinline
func wait(in, out chan int) int {
	enter(&waits)
	out <- 1
	return <-in
}

//go:noinline
func work(n, depth int, in, out chan int) int {
	enter(&worker)
	return wait(in, out) + descend(depth, 1)
}

//go:noinline
func alone(depth int) int {
	enter(&outer)
	return descend(depth, 1)
}

//go:noinline
func thrower(n int) int {
	enter(&panics)
	if n%3 == 0 {
		atomic.AddInt64(&panics[1], 1)
		panic(n)
	}
	return n
}

//go:noinline
func between(n int) int {
	enter(&middle)
	if n%3 == 0 {
		atomic.AddInt64(&middle[1], 1)
	}
	return thrower(n) + 1
}

//go:noinline
func recover_(n int) (r int) {
	enter(&recovers)
	defer func() {
		if recover() != nil {
			r = -1
		}
	}()
	return between(n)
}

//go:noinline
func leafy(n int) int {
	enter(&leaf)
	for i := 0; i < 20; i++ {
		n = n*31 + i
	}
	return n
}

//go:noinline
func hugeFrame(n int) int {
	var pad [6000]byte
	enter(&huge)
	pad[n%6000] = byte(n)
	return int(pad[n%6000]) + leafy(n)
}

//go:noinline
func fibonacci(n int) int {
	enter(&fib)
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

//go:noinline
func last(n *int) {
	enter(&deferred)
	*n += leafy(0) & 1
}

//go:noinline
func several(n int) (r int) {
	enter(&each)
	for i := 0; i < n; i++ {
		defer last(&r)
	}
	return 0
}

//go:noinline
func mx_unit_calls(rounds int) (wrong int) {
	enter(&unit)
	for k := 0; k < rounds; k++ {
		if fibonacci(8) != 21 || hugeFrame(k) != int(byte(k))+leafy(k) || several(3) != 3*(leafy(0)&1) {
			wrong++
		}
	}
	return wrong
}

func together(rounds int, do func(i int) bool) int {
	var wrong int64
	var all sync.WaitGroup
	for i := 0; i < 32; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for k := 0; k < rounds; k++ {
				if !do(i) {
					atomic.AddInt64(&wrong, 1)
				}
			}
		}(i)
	}
	all.Wait()
	return int(wrong)
}

func waiting(rounds int) int {
	in, out := make(chan int), make(chan int)
	stop := make(chan bool)
	go func() { // lets them go on thirty-two at a time
		for {
			for i := 0; i < 32; i++ {
				select {
				case <-out:
				case <-stop:
					return
				}
			}
			for i := 0; i < 32; i++ {
				in <- 1
			}
		}
	}()
	wrong := together(rounds, func(i int) bool { return work(i, 50, in, out) == 1+25 })
	close(stop)
	return wrong
}

func run(name string, rounds int) (wrong int) {
	functions = map[string]*figure{}
	use := func(name string, f *figure) {
		*f = figure{}
		functions["main."+name] = f
	}
	switch name {
	case "calls":
		use("mx_unit_calls", &unit)
		use("fibonacci", &fib)
		use("hugeFrame", &huge)
		use("leafy", &leaf)
		use("several", &each)
		use("last", &deferred)
		return mx_unit_calls(rounds)
	case "deep":
		use("alone", &outer)
		use("descend", &descends)
		return together(2, func(i int) bool { return alone(500) == 250 })
	case "waits":
		use("work", &worker)
		use("wait", &waits)
		use("descend", &descends)
		return waiting(rounds)
	case "panics":
		use("recover_", &recovers)
		use("between", &middle)
		use("thrower", &panics)
		return together(rounds, func(i int) bool {
			got := recover_(i)
			return i%3 == 0 && got == -1 || i%3 != 0 && got == i+1
		})
	}
	return -1
}

func main() {
	rounds, _ := strconv.Atoi(os.Args[1])
	in := bufio.NewScanner(os.Stdin)
	os.Stdout.WriteString("{\"ready\":true}\n")
	for in.Scan() && in.Text() != "exit" {
		wrong := run(in.Text(), rounds)
		text, _ := json.Marshal(map[string]any{"unit": in.Text(), "wrong": wrong, "functions": functions})
		os.Stdout.Write(append(text, '\n'))
	}
}
