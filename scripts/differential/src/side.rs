//! One of the two servers: its connection, and the names that it gave to what both have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use uuid::Uuid;

/// What a request leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer's frame, without its length.
    Answer(Bytes),
    /// The connection was closed.
    Closed,
    /// Nothing came. Where nothing is to come (acks=0), that is right.
    Silent,
}

/// A server and what is known of it.
pub struct Side {
    pub name: &'static str,
    address: String,
    stream: Option<TcpStream>,
    /// Topics' ids by name.
    pub topics: BTreeMap<String, Uuid>,
    /// Ids of group members, in the order in which they were given out.
    pub members: Vec<String>,
    /// Ids and epochs of producers, in that order.
    pub producers: Vec<(i64, i16)>,
    /// Ids of fetch sessions, in that order.
    pub sessions: Vec<i32>,
    /// Groups whose rebalance lasts longer than anybody waits.
    pub unrestful: BTreeSet<String>,
}

impl Side {
    pub fn new(name: &'static str, address: String) -> Side {
        Side {
            name,
            address,
            stream: None,
            topics: BTreeMap::new(),
            members: Vec::new(),
            producers: Vec::new(),
            sessions: Vec::new(),
            unrestful: BTreeSet::new(),
        }
    }

    /// Sends a frame and waits for what comes of it.
    pub fn ask(&mut self, frame: &[u8], patience: Duration) -> Result<Outcome> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream =
                    TcpStream::connect(&self.address).with_context(|| format!("{}: {}", self.name, self.address))?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        stream.set_read_timeout(Some(patience))?;
        if stream.write_all(frame).is_err() {
            return Ok(Outcome::Closed);
        }
        let mut length = [0; 4];
        if let Err(error) = stream.read_exact(&mut length) {
            use std::io::ErrorKind::{TimedOut, WouldBlock};
            if matches!(error.kind(), TimedOut | WouldBlock) {
                self.stream = Some(stream);
                return Ok(Outcome::Silent);
            }
            return Ok(Outcome::Closed);
        }
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).with_context(|| format!("{}: an answer ends early", self.name))?;
        self.stream = Some(stream);
        Ok(Outcome::Answer(answer.into()))
    }

    /// Begins anew, as the other side had to.
    pub fn hang_up(&mut self) {
        self.stream = None;
        self.sessions.clear();
    }

    /// Names that both sides have in common for what only this one gave.
    pub fn neutral(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, id) in &self.topics {
            text = text.replace(&id.to_string(), &format!("id of {name}"));
        }
        // The longest first: none is in another, but newer ones are asked for more often.
        for (at, member) in self.members.iter().enumerate().rev() {
            if text.contains(member.as_str()) {
                text = text.replace(member.as_str(), &format!("member {at}"));
            }
        }
        text.replace(&self.address, "HOST:PORT")
    }
}
