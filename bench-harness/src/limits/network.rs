//! One TCP connection on this machine: how much goes through, and how long a byte takes there and back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{best_rate, quantile};

const BLOCK: usize = 64 << 10;
const TRIPS: usize = 2_000;

/// One connection on 127.0.0.1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loopback {
    /// One way, in blocks of 64 KiB.
    pub bytes_per_second: f64,
    /// A byte there and back, half of them faster.
    pub round_trip_p50_ns: u64,
    /// One in a hundred slower.
    pub round_trip_p99_ns: u64,
}

pub(super) fn loopback() -> anyhow::Result<Loopback> {
    let bytes_per_second = bandwidth()?;
    let mut trips = round_trips()?;
    trips.sort_unstable();
    Ok(Loopback {
        bytes_per_second,
        round_trip_p50_ns: quantile(&trips, 0.5),
        round_trip_p99_ns: quantile(&trips, 0.99),
    })
}

fn pair() -> anyhow::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// The kernel holds a few hundred KiB at most, so that what is written has been read but for a thousandth of it.
fn bandwidth() -> anyhow::Result<f64> {
    let (mut near, mut far) = pair()?;
    let reader = std::thread::spawn(move || {
        let mut block = vec![0; BLOCK];
        while far.read(&mut block).is_ok_and(|read| read > 0) {}
    });
    let block = vec![3; BLOCK];
    let rate = best_rate(|| {
        near.write_all(&block)?;
        Ok(BLOCK as u64)
    });
    drop(near);
    if let Err(panic) = reader.join() {
        std::panic::resume_unwind(panic);
    }
    rate
}

fn round_trips() -> anyhow::Result<Vec<u64>> {
    let (mut near, mut far) = pair()?;
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        while far.read_exact(&mut byte).is_ok() && far.write_all(&byte).is_ok() {}
    });
    let mut took = Vec::with_capacity(TRIPS);
    let mut byte = [1];
    for _ in 0..TRIPS {
        let began = Instant::now();
        near.write_all(&byte)?;
        near.read_exact(&mut byte)?;
        took.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    drop(near);
    if let Err(panic) = echo.join() {
        std::panic::resume_unwind(panic);
    }
    Ok(took)
}
