//! Where in a request something is, and the list that its mistakes go to.

use crate::problem::Mistake;

/// A place in a JSON body.
pub(crate) struct Place<'m> {
    pointer: String,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'m> Place<'m> {
    /// The whole body.
    pub fn root(mistakes: &'m mut Vec<Mistake>) -> Self {
        Self { pointer: "#".into(), mistakes }
    }

    pub fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    pub fn same(&mut self) -> Place<'_> {
        Place { pointer: self.pointer.clone(), mistakes: self.mistakes }
    }

    /// A member or element.
    pub fn below(&mut self, name: &str) -> Place<'_> {
        let mut pointer = self.pointer.clone();
        push_pointer(&mut pointer, name);
        Place { pointer, mistakes: self.mistakes }
    }

    /// Notes a mistake. `None`, so that it can stand where the value would.
    pub fn wrong<T>(&mut self, code: &'static str, detail: impl Into<String>) -> Option<T> {
        let pointer = Some(self.pointer.clone());
        self.mistakes.push(Mistake { pointer, parameter: None, code, detail: detail.into() });
        None
    }
}

/// Appends a reference token (RFC 6901) in its form for URI fragments: `~` and `/` escaped, and whatever a
/// fragment cannot hold percent-encoded.
pub(crate) fn push_pointer(pointer: &mut String, name: &str) {
    use std::fmt::Write;
    pointer.push('/');
    for byte in name.bytes().take(200) {
        match byte {
            b'~' => pointer.push_str("~0"),
            b'/' => pointer.push_str("~1"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => pointer.push(byte as char),
            b'-' | b'.' | b'_' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';'
            | b'=' | b':' | b'@' | b'?' => pointer.push(byte as char),
            _ => {
                let _ = write!(pointer, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped_twice() {
        let mut mistakes = vec![];
        let mut root = Place::root(&mut mistakes);
        let _: Option<()> = root.below("a/b~c").below("é %").wrong("type", "no");
        assert_eq!(mistakes[0].pointer.as_deref(), Some("#/a~1b~0c/%C3%A9%20%25"));
    }
}
