//! What settings belong to (Kafka's `ConfigResource`).

use logdyno_controller::decide::topic_name;
use logdyno_wire::ErrorCode;

use super::{Desk, Refused, code};

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;

pub(super) fn check_topic_name(name: &str) -> Result<(), Refused> {
    topic_name::check_form(name).map_err(|refusal| Refused { code: refusal.code(), message: Some(refusal.to_string()) })
}

/// A broker answers for itself only: clients ask each for its own.
pub(super) fn check_broker(desk: &Desk, name: &str) -> Result<(), Refused> {
    let own = desk.config.node_id;
    match name.parse::<i32>() {
        Ok(id) if id == own => Ok(()),
        Ok(id) => Err(invalid(format!("this is broker {own}, which cannot answer for broker {id}: ask that one"))),
        Err(_) => Err(invalid(format!("'{name}' is no broker id: it is a whole number"))),
    }
}

pub(super) fn unsupported(kind: i8) -> Refused {
    invalid(format!("resources of type {kind} have no settings here: topics (2) and brokers (4) have"))
}

pub(super) fn invalid(message: String) -> Refused {
    Refused { code: code(ErrorCode::InvalidRequest), message: Some(message) }
}
