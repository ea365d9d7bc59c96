//! An app that has its users already: server keys, and users as the app's own backend knows them.

mod directory;
mod keys;
mod profiles;
mod users;
