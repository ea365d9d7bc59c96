//! Pages of lists: at most [`Window::MAX`] items, by keyset, from either end.

use super::{Argument, Error};

/// Which part of an ordered list is asked for. `K` is the key by which the list is ordered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window<K> {
    /// The most items: 0 to [`Self::MAX`].
    pub limit: u32,
    /// Only items after this key.
    pub after: Option<K>,
    /// Only items before this key.
    pub before: Option<K>,
    /// Take the last items of what remains rather than the first. They are returned in the list's order all the same.
    pub from_end: bool,
}

impl<K> Window<K> {
    /// The most items on a page.
    pub const MAX: u32 = 100;

    /// Items on a page when the client doesn't say.
    pub const DEFAULT: u32 = 20;

    /// A window from the start or, with `last`, from the end. With neither, from the end that `from_end` says.
    ///
    /// # Errors
    /// [`Error::Invalid`] when both are given, or one is negative or above [`Self::MAX`]; a limit is never reduced
    /// silently.
    pub fn new(
        first: Option<i32>,
        after: Option<K>,
        last: Option<i32>,
        before: Option<K>,
        from_end: bool,
    ) -> Result<Self, Error> {
        let (argument, asked, from_end) = match (first, last) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid(Argument::Last, "give either `first` or `last`, not both"));
            }
            (Some(first), None) => (Argument::First, Some(first), false),
            (None, Some(last)) => (Argument::Last, Some(last), true),
            (None, None) => (Argument::First, None, from_end),
        };
        let limit = match asked.map(u32::try_from) {
            None => Self::DEFAULT,
            Some(Ok(limit)) if limit <= Self::MAX => limit,
            Some(_) => return Err(Error::invalid(argument, format!("must be 0 to {}", Self::MAX))),
        };
        Ok(Self { limit, after, before, from_end })
    }

    /// A window from the start.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn forward(first: Option<i32>, after: Option<K>) -> Result<Self, Error> {
        Self::new(first, after, None, None, false)
    }
}

/// The part of a list that a [`Window`] asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// There are items before the first.
    pub has_previous: bool,
    /// There are items after the last.
    pub has_next: bool,
}

impl<T> Slice<T> {
    /// The slice of an empty list.
    #[must_use]
    pub fn none() -> Self {
        Self { items: Vec::new(), has_previous: false, has_next: false }
    }

    /// The slice of what a query for `limit + 1` items found, read in the window's direction.
    pub fn probed<K>(mut items: Vec<T>, window: &Window<K>) -> Self {
        let more = items.len() > window.limit as usize;
        items.truncate(window.limit as usize);
        if window.from_end {
            items.reverse();
            Self { items, has_previous: more, has_next: window.before.is_some() }
        } else {
            Self { items, has_previous: window.after.is_some(), has_next: more }
        }
    }

    /// The same part of a list of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Slice<U> {
        Slice {
            items: self.items.into_iter().map(f).collect(),
            has_previous: self.has_previous,
            has_next: self.has_next,
        }
    }
}
