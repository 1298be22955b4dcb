// The matrix program in Rust: same protocol as main.c; recursion, generics, traits, closures, threads, panics.
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Counter(&'static str, AtomicU64, AtomicU64);

macro_rules! counters {
    ($($id:ident $name:expr;)*) => {
        $(static $id: Counter = Counter($name, AtomicU64::new(0), AtomicU64::new(0));)*
        static ALL: &[&Counter] = &[$(&$id),*];
    };
}

counters! {
    FIB "mxrust::calls::fib";
    AREA_SQUARE "<mxrust::calls::Square as mxrust::calls::Shape>::area";
    AREA_CIRCLE "<mxrust::calls::Circle as mxrust::calls::Shape>::area";
    APPLY "mxrust::calls::apply";
    FINISHES "mxrust::panics::finishes";
    MIDDLE "mxrust::panics::middle";
    PANICS "mxrust::panics::panics";
    CATCHES "mxrust::panics::catches";
    WORKER "mxrust::threads::worker";
    STEP "mxrust::threads::step";
}

fn enter(counter: &Counter) {
    counter.1.fetch_add(1, Relaxed);
}

fn leave(counter: &Counter) {
    counter.2.fetch_add(1, Relaxed);
}

mod calls {
    use super::*;

    #[inline(never)]
    pub fn fib(n: u64) -> u64 {
        enter(&FIB);
        if n < 2 { n } else { std::hint::black_box(fib(n - 1)) + std::hint::black_box(fib(n - 2)) }
    }

    pub trait Shape {
        fn area(&self, x: u64) -> u64;
    }
    pub struct Square;
    pub struct Circle;

    impl Shape for Square {
        #[inline(never)]
        fn area(&self, x: u64) -> u64 {
            enter(&AREA_SQUARE);
            x * x
        }
    }
    impl Shape for Circle {
        #[inline(never)]
        fn area(&self, x: u64) -> u64 {
            enter(&AREA_CIRCLE);
            3 * x * x
        }
    }

    #[inline(never)]
    pub fn apply(f: &dyn Fn(u64) -> u64, x: u64) -> u64 {
        enter(&APPLY);
        std::hint::black_box(f(x)) + 1
    }

    pub fn unit(rounds: u64) -> u64 {
        let shapes: Vec<Box<dyn Shape>> = vec![Box::new(Square), Box::new(Circle)];
        let mut wrong = 0;
        for i in 0..rounds {
            wrong += (fib(9) != 34) as u64;
            let sum: u64 = shapes.iter().map(|shape| std::hint::black_box(shape).area(i)).sum();
            wrong += (sum != 4 * i * i) as u64;
            wrong += (apply(&|x| std::hint::black_box(x) * 2, i) != 2 * i + 1) as u64;
        }
        wrong
    }
}

mod panics {
    use super::*;

    struct Guard<'a>(&'a AtomicU64);

    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[inline(never)]
    pub fn finishes(i: u64) -> u64 {
        enter(&FINISHES);
        i + 1
    }

    #[inline(never)]
    pub fn panics(i: u64) -> u64 {
        enter(&PANICS);
        if i % 3 == 0 {
            leave(&PANICS);
            std::panic::resume_unwind(Box::new(i));
        }
        finishes(i)
    }

    #[inline(never)]
    pub fn middle(i: u64, dropped: &AtomicU64) -> u64 {
        let _guard = Guard(dropped);
        enter(&MIDDLE);
        if i % 3 == 0 {
            leave(&MIDDLE);
        }
        std::hint::black_box(panics(i)) + 1
    }

    #[inline(never)]
    pub fn catches(i: u64, dropped: &AtomicU64) -> u64 {
        enter(&CATCHES);
        let caught = std::panic::catch_unwind(|| middle(i, dropped));
        std::hint::black_box(match caught {
            Ok(value) => value,
            Err(why) => 1000 + *why.downcast::<u64>().unwrap(),
        })
    }

    pub fn unit(rounds: u64) -> u64 {
        let dropped = AtomicU64::new(0);
        let mut wrong = 0;
        for i in 0..rounds {
            let want = if i % 3 == 0 { 1000 + i } else { i + 2 };
            wrong += (catches(i, &dropped) != want) as u64;
        }
        wrong + (dropped.load(Relaxed) != rounds) as u64
    }
}

mod threads {
    use super::*;

    #[inline(never)]
    pub fn step(x: u64) -> u64 {
        enter(&STEP);
        x + 1
    }

    #[inline(never)]
    pub fn worker(n: u64) -> u64 {
        enter(&WORKER);
        let mut x = 0;
        while x < n {
            x = std::hint::black_box(step(x));
        }
        x
    }

    pub fn unit(rounds: u64) -> u64 {
        (0..rounds)
            .map(|i| {
                let threads: Vec<_> = (0..4).map(|k| std::thread::spawn(move || worker(20 * k + i))).collect();
                let sums: Vec<u64> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
                (sums.iter().sum::<u64>() != 120 + 4 * i) as u64
            })
            .sum()
    }
}

fn report(unit: &str, wrong: u64) {
    let mut functions = Vec::new();
    for counter in ALL {
        let (entries, left) = (counter.1.swap(0, Relaxed), counter.2.swap(0, Relaxed));
        if entries > 0 {
            functions.push(format!("\"{}\":[{entries},{left},0,0]", counter.0));
        }
    }
    println!("{{\"unit\":\"{unit}\",\"wrong\":{wrong},\"functions\":{{{}}}}}", functions.join(","));
    std::io::stdout().flush().unwrap();
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    println!("{{\"ready\":true}}");
    for line in std::io::stdin().lock().lines() {
        match line.unwrap().as_str() {
            "calls" => report("calls", calls::unit(rounds)),
            "panics" => report("panics", panics::unit(rounds)),
            "threads" => report("threads", threads::unit(rounds)),
            _ => return,
        }
    }
}
