//! Bytes in pieces: what came in one large piece is shared, what came in small ones is put together. Pure.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// How large a piece becomes that is put together from small ones, in bytes.
const PIECE: usize = 64 << 10;

/// Bytes that are added at the end and taken away at the beginning.
#[derive(Debug, Default)]
pub(crate) struct Rope {
    pieces: VecDeque<Bytes>,
    /// The last piece, which grows.
    open: BytesMut,
    length: usize,
}

impl Rope {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Adds a copy.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.open.extend_from_slice(bytes);
        self.length += bytes.len();
        if self.open.len() >= PIECE {
            self.close();
        }
    }

    /// Adds the bytes themselves. While they are held, so is all that they were cut from.
    pub(crate) fn share(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.close();
            self.length += bytes.len();
            self.pieces.push_back(bytes);
        }
    }

    /// Takes away from the beginning what is more than so many bytes.
    pub(crate) fn shorten_to(&mut self, most: usize) {
        let mut excess = self.length.saturating_sub(most);
        self.length -= excess;
        while excess > 0 {
            match self.pieces.front_mut() {
                Some(piece) if piece.len() <= excess => {
                    excess -= piece.len();
                    self.pieces.pop_front();
                }
                Some(piece) => {
                    piece.advance(excess);
                    return;
                }
                None => {
                    self.open.advance(excess);
                    return;
                }
            }
        }
    }

    pub(crate) fn into_pieces(mut self) -> impl Iterator<Item = Bytes> {
        self.close();
        self.pieces.into_iter()
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.pieces.push_back(self.open.split().freeze());
        }
    }
}
