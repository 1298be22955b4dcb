// The matrix program in Go: goroutines whose stacks grow, panics and recovers. It must be left alone.
package main

import (
	"bufio"
	"os"
	"strconv"
	"sync"
)

//go:noinline
func descend(n int) int {
	var pad [128]byte
	pad[n%128] = byte(n)
	if n == 0 {
		return int(pad[0])
	}
	return descend(n-1) + int(pad[n%128])&1
}

//go:noinline
func recovers(n int) (r int) {
	defer func() {
		if recover() != nil {
			r = -1
		}
	}()
	if n%3 == 0 {
		panic(n)
	}
	return n
}

func work(rounds int) (wrong int) {
	var wg sync.WaitGroup
	sums := make([]int, 32)
	for i := range sums {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for k := 0; k < rounds; k++ {
				sums[i] += descend(500)
			}
		}(i)
	}
	wg.Wait()
	for i, sum := range sums {
		if sum != sums[0] || sum != rounds*250 {
			wrong++
		}
		if want := recovers(i); (i%3 == 0 && want != -1) || (i%3 != 0 && want != i) {
			wrong++
		}
	}
	return wrong
}

func main() {
	rounds, _ := strconv.Atoi(os.Args[1])
	in := bufio.NewScanner(os.Stdin)
	os.Stdout.WriteString("{\"ready\":true}\n")
	for in.Scan() && in.Text() == "work" {
		os.Stdout.WriteString("{\"unit\":\"work\",\"wrong\":" + strconv.Itoa(work(rounds)) + "}\n")
	}
}
