//! Rows of models: whether there is a key for each, and whether those who serve them take it.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;

use super::{Patient, Row, Verdict};
use crate::{app::in_force::without_user, base::text::chain, llm::Greeted};

/// What one provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether every employee has a model with a provider and a key.
pub(super) async fn keys(patient: &Patient<'_>) -> Row {
    let definitions = patient.crew.definitions().await;
    let cannot: Vec<String> = definitions
        .employees
        .values()
        .filter_map(|entry| {
            let choice = patient.crew.model(&definitions, None, &entry.employee);
            let error = patient.crew.llm().check(&choice).err()?;
            Some(format!("{}: {error}", entry.employee.name))
        })
        .collect();
    let (count, place) = (definitions.employees.len(), "*_API_KEY, *_BASE_URL");
    if count == 0 {
        return Row::new("models", Verdict::Warn, place, "there are no employees")
            .fix("knowlyr-crew init --employee NAME");
    }
    match cannot.first() {
        None => Row::new(
            "models",
            Verdict::Pass,
            place,
            format!("the models of all {count} employees have a provider and a key"),
        ),
        Some(first) => {
            let found = format!("{} of {count} employees cannot work; {first}", cannot.len());
            Row::new("models", Verdict::Fail, place, found)
                .fix("set the variable that is named, or another `model`")
        }
    }
}

/// Whether the providers of the models in use are there and take their keys; they are asked only when the network may be
/// touched, each once.
pub(super) async fn providers(patient: &Patient<'_>, online: bool) -> Row {
    let row = |verdict, found: String| Row::new("providers", verdict, "*_API_KEY, *_BASE_URL", found);
    let definitions = patient.crew.definitions().await;
    let client = patient.crew.llm();
    let mut asked = BTreeMap::new();
    for entry in definitions.employees.values() {
        let model = patient.crew.model(&definitions, None, &entry.employee);
        let fallback = patient.crew.fallback(&definitions, &entry.employee);
        for choice in [Some(model), fallback].into_iter().flatten() {
            // What has no provider or no key, another row tells.
            let Some(served) = client.served(&choice).ok().filter(|_| client.check(&choice).is_ok()) else {
                continue;
            };
            let Some(address) = served.address else { continue };
            let key = served.key.map(|(variable, _)| variable);
            asked.entry((served.provider, without_user(&address), key)).or_insert(choice);
        }
    }
    let names = asked.keys().map(|(provider, address, _)| format!("{provider} ({address})"));
    if asked.is_empty() {
        return row(Verdict::Skip, "no provider that could be asked is in use".to_owned());
    }
    if !online {
        let names = names.collect::<Vec<_>>().join(", ");
        return row(Verdict::Skip, format!("{names}; not asked, --online does"));
    }
    let answers = join_all(asked.values().map(|choice| client.greet(choice, PATIENCE))).await;
    let mut failed = false;
    let told = names.zip(answers).zip(asked.keys()).map(|((name, answer), (.., key))| match answer {
        Ok(Greeted::Answered(status)) => format!("{name} answers ({status})"),
        Ok(Greeted::Offline) => format!("{name} is this program"),
        Ok(Greeted::KeyRefused(status)) => {
            failed = true;
            let key = key.as_ref().map_or("that there is none", String::as_str);
            format!("{name} does not take the key ({status}): {key}")
        }
        Err(error) => {
            failed = true;
            format!("{name}: {}", chain(&error))
        }
    });
    let told = told.collect::<Vec<_>>().join("; ");
    if failed {
        return row(Verdict::Fail, told)
            .fix("mend the key, the address or the network: until then these models do not answer");
    }
    row(Verdict::Pass, told)
}
