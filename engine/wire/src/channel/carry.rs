//! The two tasks of a connection: one writes what is queued, one hands out what comes back.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::line::{Line, Outgoing};
use crate::frame::{FrameReader, write_pieces};
use crate::transport::{ReadHalf, WriteHalf};

pub(super) async fn carry_answers(
    line: Arc<Line>,
    mut frames: FrameReader<ReadHalf>,
    mut closing: watch::Receiver<bool>,
) {
    let reading = async {
        loop {
            match frames.next().await {
                Ok(Some(frame)) => {
                    if let Err(reason) = line.hand_out(frame) {
                        return reason;
                    }
                }
                Ok(None) => return "the peer closed it".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    };
    let reason = tokio::select! {
        reason = reading => reason,
        _ = closing.wait_for(|closing| *closing) => return,
    };
    line.close(&reason);
}

pub(super) async fn carry_requests(
    line: Arc<Line>,
    mut stream: WriteHalf,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    mut closing: watch::Receiver<bool>,
) {
    let writing = async {
        while let Some(Outgoing { frame, handed }) = queue.recv().await {
            if let Err(error) = write_pieces(&mut stream, &[frame]).await {
                return line.close(&error.to_string());
            }
            // Whoever sent it may not care when it left.
            handed.send(()).ok();
        }
    };
    tokio::select! {
        () = writing => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}
