//! What of the memories is to be turned into vectors, and where those are kept.

use super::super::{
    Entry, Error, Memory,
    index::{Bare, Coverage, Index, Kept, Model},
    indexed::{self, Indexed, Patience},
};

/// Entries without a vector, and what each of them says to the embedder; `None` for those it is not to be told of.
pub(super) struct Wanting {
    pub(super) bare: Bare,
    pub(super) texts: Vec<Option<String>>,
}

impl Memory {
    fn opened(&self) -> Result<&Index, Error> {
        self.index.open().ok_or(Error::NoIndex)
    }

    /// Brings the index of all files to their present state.
    pub(super) fn catch_up(&self) -> Result<(), Error> {
        let stems = self.stems()?;
        if stems.is_empty() {
            return Ok(());
        }
        let index = self.opened()?;
        for stem in stems {
            let book = self.shelf(&self.folder.join(format!("{stem}{}", super::super::ENDING)));
            let mut book = book.lock();
            book.read()?;
            Indexed::catch_up(index, &stem, &book.state(), book.view(), usize::MAX, Patience::UntilFree)?;
        }
        Ok(())
    }

    /// At most `most` entries without a vector of `model`; `None` when there are none left.
    pub(super) fn wanting(
        &self,
        model: Model<'_>,
        most: usize,
        admits: &dyn Fn(&Entry) -> bool,
    ) -> Result<Option<Wanting>, Error> {
        let bare = self.index.there().map(|index| index.bare(model, most)).transpose()?;
        let Some(bare) = bare.flatten() else { return Ok(None) };
        let path = self.folder.join(format!("{}{}", bare.employee, super::super::ENDING));
        let texts = self.look(&path, |view| {
            let text = |id: &String| {
                let Some(card) = view.get(indexed::id_of(id)) else { return Ok(None) };
                let entry = view.entry(card)?;
                Ok(admits(&entry).then(|| text_of(&entry)))
            };
            bare.ids.iter().map(text).collect::<Result<Vec<_>, Error>>()
        })?;
        Ok(Some(Wanting { bare, texts }))
    }

    /// Keeps vectors, see [`Index::keep`].
    pub(super) fn keep_vectors(
        &self,
        model: Model<'_>,
        bare: &Bare,
        vectors: &[Option<Vec<f32>>],
    ) -> Result<Kept, Error> {
        Ok(self.opened()?.keep(model, bare, vectors)?)
    }

    /// Whether anything can be found by what it means to the model that is called `name`. Makes no index.
    pub(in crate::engine) fn has_vectors(&self, name: &str) -> bool {
        self.index.there().is_some_and(|index| index.has_vectors(name).unwrap_or_default())
    }

    /// Takes all vectors out, so that they are made anew.
    ///
    /// # Errors
    /// [`Error::Index`] when the index cannot be written, [`Error::NoIndex`].
    pub fn discard_vectors(&self) -> Result<(), Error> {
        Ok(self.opened()?.discard_vectors()?)
    }

    /// How much of the index has vectors; `None` when there is no index. Makes none.
    ///
    /// # Errors
    /// [`Error::Index`] when it cannot be read.
    pub fn coverage(&self) -> Result<Option<Coverage>, Error> {
        Ok(self.index.there().map(Index::coverage).transpose()?)
    }

    /// How many files have changed since the index last followed them. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Store`] when memories cannot be read, [`Error::Index`] when the index cannot.
    pub fn behind(&self) -> Result<usize, Error> {
        let (index, stems) = (self.index.there(), self.stems()?);
        let Some(index) = index else { return Ok(stems.len()) };
        let mut behind = 0;
        for stem in &stems {
            let book = self.shelf(&self.folder.join(format!("{stem}{}", super::super::ENDING)));
            let mut book = book.lock();
            book.read()?;
            behind += usize::from(!Indexed::is_up_to_date(index, stem, &book.state())?);
        }
        Ok(behind)
    }
}

/// What an entry says to the embedder: its text, and the words it is found by.
fn text_of(entry: &Entry) -> String {
    let names: Vec<&str> = entry.tags.iter().chain(&entry.keywords).map(String::as_str).collect();
    let names = if names.is_empty() { String::new() } else { format!("\n{}", names.join(", ")) };
    super::shortened(&format!("{}{names}", entry.content))
}
