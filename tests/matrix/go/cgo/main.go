// Go and C in one program: C is called from goroutines, calls back, and panics pass through it.
package main

// void c_count(long *entries, long *left);
// int c_outer(int n);
import "C"

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

type figure [4]int64

var back, grows, calls figure

//go:noinline
func grow(n int) int {
	var pad [256]byte
	atomic.AddInt64(&grows[0], 1)
	pad[n%256] = byte(n)
	if n == 0 {
		return int(pad[0])
	}
	return grow(n-1) + int(pad[n%256])&1
}

//export goBack
func goBack(n C.int) C.int {
	return C.int(comeBack(int(n)))
}

//go:noinline
func comeBack(n int) int {
	atomic.AddInt64(&back[0], 1)
	if n%5 == 0 {
		atomic.AddInt64(&back[1], 1)
		panic(n)
	}
	return grow(30) + n
}

//go:noinline
func callC(n int) (r int) {
	atomic.AddInt64(&calls[0], 1)
	defer func() {
		if recover() != nil {
			r = -1
		}
	}()
	return int(C.c_outer(C.int(n)))
}

func run(rounds int) (wrong int64) {
	var all sync.WaitGroup
	for i := 0; i < 32; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			for k := 0; k < rounds; k++ {
				want := 2*i + 15
				if i%5 == 0 {
					want = -1
				}
				if callC(i) != want {
					atomic.AddInt64(&wrong, 1)
				}
			}
		}(i)
	}
	all.Wait()
	return wrong
}

func main() {
	rounds, _ := strconv.Atoi(os.Args[1])
	in := bufio.NewScanner(os.Stdin)
	os.Stdout.WriteString("{\"ready\":true}\n")
	for in.Scan() && in.Text() != "exit" {
		wrong := run(rounds)
		var entries, left [2]C.long
		C.c_count(&entries[0], &left[0])
		text, _ := json.Marshal(map[string]any{"unit": in.Text(), "wrong": wrong, "functions": map[string]figure{
			"main.callC": calls, "main.comeBack": back, "main.grow": grows,
			"c_outer": {int64(entries[0]), int64(left[0])}, "c_inner": {int64(entries[1]), int64(left[1])},
		}})
		back, grows, calls = figure{}, figure{}, figure{}
		os.Stdout.Write(append(text, '\n'))
	}
}
