//! Static models in the format of model2vec: a vector for each token, whose mean is what a text means.

use std::{fmt, path::Path};

use model2vec_rs::model::StaticModel;

/// A model that was read.
pub(super) struct Static(StaticModel);

impl fmt::Debug for Static {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Static").finish_non_exhaustive()
    }
}

impl Static {
    /// Reads the model in `folder`. Nothing is fetched.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let model = StaticModel::from_pretrained(folder, None, None, None);
        model.map(Self).map_err(|error| format!("{error:#}"))
    }

    /// The vectors of `texts`.
    pub(super) fn vectors(&self, texts: &[String]) -> Vec<Vec<f32>> {
        self.0.encode(texts)
    }
}
