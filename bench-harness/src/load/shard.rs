//! A load that several machines share: each has its part of the whole schedule's records, at the moments that they have there.

use std::fmt;
use std::str::FromStr;

/// Shards there can be: each is a machine.
const SHARDS_MAX: u32 = 1_000;

/// The part of a load that one machine sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u32,
    of: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Which, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number
    }

    /// Of how many.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of
    }

    /// How many producers all shards have, if each has `producers`: they take the records in turn.
    #[must_use]
    pub fn all_producers(self, producers: u32) -> u32 {
        self.of.saturating_mul(producers)
    }

    /// The turn of this shard's first producer.
    #[must_use]
    pub fn first_producer(self, producers: u32) -> u32 {
        (self.number - 1).saturating_mul(producers)
    }

    /// How many of the load's first `records` records are of this shard.
    #[must_use]
    pub fn share(self, producers: u32, records: u64) -> u64 {
        let (own, all) = (u64::from(producers), u64::from(self.all_producers(producers)));
        let begun = (records % all).saturating_sub(u64::from(self.first_producer(producers)));
        records / all * own + begun.min(own)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let read = || {
            let (number, of) = text.split_once('/')?;
            Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? })
        };
        read()
            .filter(|shard| (1..=shard.of).contains(&shard.number) && shard.of <= SHARDS_MAX)
            .ok_or_else(|| format!("it takes NUMBER/COUNT, such as 1/4 to 4/4, of at most {SHARDS_MAX}"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_of_one_shard() {
        for (of, producers) in [(1, 1), (3, 1), (4, 3)] {
            let shards: Vec<Shard> = (1..=of).map(|number| Shard { number, of }).collect();
            for records in 0..100 {
                let shares = shards.iter().map(|shard| shard.share(producers, records));
                assert_eq!(shares.sum::<u64>(), records);
                let owner = |shard: &&Shard| shard.share(producers, records + 1) > shard.share(producers, records);
                let turn = (records % u64::from(of * producers)) as u32;
                let owners: Vec<u32> = shards.iter().filter(owner).map(|shard| shard.number).collect();
                assert_eq!(owners, [turn / producers + 1], "record {records}");
            }
        }
    }

    #[test]
    fn a_shard_is_read_from_its_number_and_count() {
        assert_eq!("2/3".parse(), Ok(Shard { number: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "1/1001", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
