//! Passwords that so many people have chosen that they are guessed first.

use std::sync::LazyLock;

/// The 10,000 most common passwords of [`MIN_CHARS`](super::Password::MIN_CHARS) characters and more, in lower case and sorted: from the
/// list `passwords` of zxcvbn 4.5.0 for Python (<https://pypi.org/project/zxcvbn/4.5.0/>), which is that of Dropbox's
/// zxcvbn (<https://github.com/dropbox/zxcvbn>). Both are under the MIT license, see `common.license.txt`.
const LIST: &str = include_str!("common.txt");

/// Whether the password is one of the most common ones, regardless of case and of the space around it.
pub(super) fn is_common(password: &str) -> bool {
    static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| LIST.lines().collect());
    COMMON.binary_search(&&*password.trim().to_lowercase()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::Password;
    use super::*;

    #[test]
    fn the_list_is_sorted_and_holds_only_what_would_be_taken_otherwise() {
        let list: Vec<&str> = LIST.lines().collect();
        assert_eq!(list.len(), 10_000);
        assert!(list.is_sorted());
        for password in list {
            assert!(
                password.chars().count() >= Password::MIN_CHARS && password == password.to_lowercase(),
                "{password}"
            );
        }
    }

    #[test]
    fn a_common_password_is_known_however_it_is_written() {
        for password in ["password", "PassWord", " 12345678 ", "iloveyou1", "QWERTYUIOP"] {
            assert!(is_common(password), "{password}");
        }
        for password in ["correct horse battery staple", "passwor", "password of mine", ""] {
            assert!(!is_common(password), "{password}");
        }
    }
}
