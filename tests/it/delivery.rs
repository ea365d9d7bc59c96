//! Live delivery: each event reaches every socket of everybody concerned, and nobody else.

mod crowd;
mod events;
mod marks;
mod posts;
mod random;
mod secrets;
mod sharing;
