//! Which model an employee runs on, and where that is served.

use std::{fmt, sync::Arc};

use super::Crew;
use crate::{
    base::Secret,
    catalog::Snapshot,
    defs::{self, Employee, ModelDefaults, SecretRef},
    llm::{Choice, Key},
};

/// The variable with the key of servers at addresses of their own, when an employee names none.
const PROXY_KEY: &str = "LLM_PROXY_API_KEY";

/// The value of a variable that a definition names.
pub type Variable = Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>;

/// The models of a crew.
#[derive(Clone)]
pub struct Models {
    /// That of employees that name none.
    pub default: String,
    /// The one to ask when another does not answer and has no stand-in of its own.
    pub fallback: Option<String>,
    /// Where the keys are that definitions name.
    pub variable: Variable,
}

impl Models {
    /// The models of employees that name none, without a stand-in and without keys that definitions name.
    pub fn of(default: impl Into<String>) -> Self {
        Self { default: default.into(), fallback: None, variable: Arc::new(|_| None) }
    }

    /// The model `name`, served at `base_url` and with the key in the variable `key` where those are given.
    fn choice(&self, name: &str, base_url: Option<&String>, key: Option<Named>, from: String) -> Choice {
        let key = key.or_else(|| {
            let secret = base_url.and_then(|_| (self.variable)(PROXY_KEY))?;
            Some(Named { variable: PROXY_KEY.to_owned(), secret: Some(secret) })
        });
        let key = key.map(|named| Key::Needed { from: named.variable, secret: named.secret });
        Choice { model: name.to_owned(), base_url: base_url.cloned(), key, from }
    }

    /// What the reference `${NAME}` of an employee leads to.
    fn named(&self, reference: &str) -> Named {
        let variable = defs::variable_name(reference);
        Named { variable: variable.to_owned(), secret: (self.variable)(variable) }
    }

    /// What a reference of the organization leads to.
    fn settled(&self, reference: &SecretRef) -> Named {
        match reference {
            SecretRef::Env(name) => self.named(name),
            SecretRef::Literal(secret) => {
                Named { variable: "organization.yaml".to_owned(), secret: Some(secret.clone()) }
            }
        }
    }
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models")
            .field("default", &self.default)
            .field("fallback", &self.fallback)
            .finish_non_exhaustive()
    }
}

/// A key and the variable it is from.
struct Named {
    variable: String,
    secret: Option<Secret>,
}

impl Crew {
    /// The model a run of `employee` uses: the one the run asks for, else its own, else that of its tier in the
    /// organization, else the crew's. What an employee leaves open about its model, its tier fills in.
    ///
    /// A model the run asks for is served where models of its name are, unless it is the employee's own.
    pub(crate) fn model(&self, definitions: &Snapshot, asked: Option<&str>, employee: &Employee) -> Choice {
        let tier = tier(definitions, employee);
        let of_tier = tier.and_then(|tier| tier.model.as_deref());
        let own = employee.model.as_deref().or(of_tier).unwrap_or(&self.models.default);
        if let Some(asked) = asked.filter(|asked| *asked != own) {
            return Choice::of(asked);
        }
        let base_url = employee.base_url.as_ref().or(tier.and_then(|tier| tier.base_url.as_ref()));
        let key = employee.api_key.as_ref().map(|key| self.models.named(key));
        // The key of the tier is for the server of the tier.
        let tier = tier.filter(|_| employee.base_url.is_none());
        let key = key.or_else(|| Some(self.models.settled(tier?.api_key.as_ref()?)));
        self.models.choice(own, base_url, key, format!("`base_url` of employee `{}`", employee.name))
    }

    /// The model that stands in when that of `employee` does not answer, if there is one.
    pub(crate) fn fallback(&self, definitions: &Snapshot, employee: &Employee) -> Option<Choice> {
        let tier = tier(definitions, employee);
        let named = employee.fallback_model.as_ref().or(tier.and_then(|tier| tier.fallback_model.as_ref()));
        let Some(named) = named else { return self.models.fallback.clone().map(Choice::of) };
        let base_url = employee.fallback_base_url.as_ref();
        let base_url = base_url.or(tier.and_then(|tier| tier.fallback_base_url.as_ref()));
        let key = employee.fallback_api_key.as_ref().map(|key| self.models.named(key));
        let tier = tier.filter(|_| employee.fallback_base_url.is_none());
        let key = key.or_else(|| Some(self.models.settled(tier?.fallback_api_key.as_ref()?)));
        let from = format!("`fallback_base_url` of employee `{}`", employee.name);
        Some(self.models.choice(named, base_url, key, from))
    }
}

/// What the organization settles for employees like this one.
fn tier<'d>(definitions: &'d Snapshot, employee: &Employee) -> Option<&'d ModelDefaults> {
    definitions.organization.defaults_of_tier(&employee.model_tier)
}
