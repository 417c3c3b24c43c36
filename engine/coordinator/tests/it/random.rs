//! Members that come, go, fall silent and come again, by seed: whatever happens, no two own the same part in one
//! generation, and those who stay get the group stable.

use std::collections::BTreeMap;

use logdyno_coordinator::{GroupError, State, Ticket};

use crate::world::{World, joining};

/// Steele's splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) % bound
    }
}

/// One client, as far as it knows.
#[derive(Default)]
struct Client {
    id: String,
    generation: i32,
    joins: Option<Ticket>,
    syncs: Option<Ticket>,
    owns: Option<String>,
    is_silent: bool,
}

fn step(world: &mut World, client: &mut Client) {
    if client.is_silent {
        return;
    }
    if let Some(ticket) = client.joins {
        let Some(answer) = world.joined(ticket) else { return };
        client.joins = None;
        match answer.error {
            None => {
                (client.id, client.generation) = (answer.member.clone(), answer.generation);
                let parts: Vec<(String, String)> =
                    answer.members.iter().enumerate().map(|(n, (id, ..))| (id.clone(), format!("part {n}"))).collect();
                let parts: Vec<(&str, &str)> = parts.iter().map(|(id, part)| (id.as_str(), part.as_str())).collect();
                client.syncs = Some(world.sync(&client.id, client.generation, &parts));
            }
            Some(GroupError::MemberIdRequired) => client.id = answer.member,
            Some(_) => client.id.clear(),
        }
    } else if let Some(ticket) = client.syncs {
        let Some(answer) = world.synced(ticket) else { return };
        client.syncs = None;
        match answer.error {
            None => client.owns = Some(String::from_utf8(answer.assignment.to_vec()).expect("text")),
            Some(GroupError::UnknownMember) => client.id.clear(),
            Some(_) => {}
        }
    } else if client.owns.is_some() {
        match world.heartbeat(&client.id, client.generation) {
            Ok(()) => {}
            Err(error) => {
                client.owns = None;
                if error == GroupError::UnknownMember {
                    client.id.clear();
                }
            }
        }
    } else {
        client.joins = Some(world.join(joining(&client.id, None, "x")));
    }
}

/// What clients believe to own under the group's generation. One that has fallen silent loses it with its session.
fn assert_disjoint(world: &World, clients: &[Client], seed: u64) {
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    let current = clients.iter().filter(|client| client.generation == world.group.generation());
    for part in current.filter_map(|client| client.owns.as_deref()).filter(|part| !part.is_empty()) {
        *owners.entry(part).or_default() += 1;
    }
    assert!(owners.values().all(|owners| *owners == 1), "seed {seed}: {owners:?}");
}

/// Rows 30, 84; §7 no. 14.
#[test]
fn ownership_never_overlaps_within_a_generation() {
    for seed in 0..200 {
        let (mut random, mut world) = (Random(seed), World::new());
        let mut clients: Vec<Client> = (0..5).map(|_| Client::default()).collect();
        for _ in 0..400 {
            let who = random.below(5) as usize;
            match random.below(40) {
                0 => clients[who] = Client::default(),
                1 => clients[who].is_silent = true,
                2 => clients[who].is_silent = false,
                _ => step(&mut world, &mut clients[who]),
            }
            world.pass(random.below(400));
            assert_disjoint(&world, &clients, seed);
        }
        // All come back and stay.
        for client in &mut clients {
            client.is_silent = false;
        }
        for _ in 0..2_000 {
            clients.iter_mut().for_each(|client| step(&mut world, client));
            world.pass(100);
        }
        assert_disjoint(&world, &clients, seed);
        assert_eq!(world.group.state(), State::Stable, "seed {seed}: {:?}", world.group);
        assert!(clients.iter().all(|client| client.owns.is_some()), "seed {seed}");
    }
}
