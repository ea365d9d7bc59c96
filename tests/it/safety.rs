//! What users do about others who bother them.

mod blocks;
mod judged;
mod reports;
mod words;
