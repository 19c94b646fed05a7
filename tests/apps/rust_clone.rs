// Rust: Vec::clone, then 10 % of the clone changed, then 1 % of the original.
use std::io::Write;
use std::time::Instant;

fn done(start: &mut Instant, name: &str) {
    println!("step {:.6} {}", start.elapsed().as_secs_f64(), name);
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    *start = Instant::now();
}

fn checksum(values: &[f64]) -> u64 {
    values.iter().fold(14695981039346656037, |sum: u64, value| (sum ^ value.to_bits()).wrapping_mul(1099511628211))
}

fn main() {
    let mut start = Instant::now();
    let count = 25 << 20; // 200 MiB
    let mut original: Vec<f64> = (0..count).map(|i| i as f64).collect();
    done(&mut start, "fill original");

    let mut copy = original.clone();
    done(&mut start, "copy = original.clone()");

    copy[..count / 10].fill(-1.0);
    done(&mut start, "change 10 % of copy");

    original[count - count / 100..].fill(-2.0);
    done(&mut start, "change 1 % of original");

    println!("{:016x} {:016x}", checksum(&original), checksum(&copy));
}
