//! `skills/list`, `skills/get` and `resources/directory/read`.

use serde::{Deserialize, Serialize};

use super::{Skill, SkillHost};
use crate::protocol::{
    Context, Error, Server,
    methods::{Answer, CONTENTS, LISTS, ListParams, read},
    page::{Page, Pages},
    shape::Payload,
};

fn skills<'a>(server: &'a Server, method: &str) -> Result<&'a dyn SkillHost, Error> {
    server.host().skills().ok_or_else(|| Error::method_not_found(method))
}

pub(in crate::protocol) fn list<'a>(
    server: &'a Server,
    params: Option<&'a str>,
    context: &'a Context,
) -> Answer<'a> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed {
        skills: Vec<Skill>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_cursor: Option<String>,
    }
    Box::pin(async move {
        let host = skills(server, "skills/list")?;
        let ListParams { cursor } = read("skills/list", params)?;
        let version = context.version();
        let write = |Page { items, next }: Page<_>| {
            server.write(&Listed { skills: items, next_cursor: next }, version, LISTS)
        };
        let page = server.skills.page(host.list(context).await?, version, cursor.as_deref(), write)?;
        Ok(Payload::Shared(page))
    })
}

pub(in crate::protocol) fn get<'a>(
    server: &'a Server,
    params: Option<&'a str>,
    context: &'a Context,
) -> Answer<'a> {
    #[derive(Deserialize)]
    struct Params {
        uri: String,
    }
    #[derive(Serialize)]
    struct Found {
        skill: Skill,
    }
    Box::pin(async move {
        let host = skills(server, "skills/get")?;
        let Params { uri } = read("skills/get", params)?;
        let skill = host.get(&uri, context).await?;
        server.finish(&Found { skill }, context.version(), Some(CONTENTS))
    })
}

pub(in crate::protocol) fn read_directory<'a>(
    server: &'a Server,
    params: Option<&'a str>,
    context: &'a Context,
) -> Answer<'a> {
    #[derive(Deserialize)]
    struct Params {
        uri: String,
        #[serde(default)]
        cursor: Option<String>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Listed<T> {
        resources: Vec<T>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_cursor: Option<String>,
    }
    let method = "resources/directory/read";
    Box::pin(async move {
        let folders = skills(server, method)?.folders().ok_or_else(|| Error::method_not_found(method))?;
        let Params { uri, cursor } = read(method, params)?;
        let children = folders.read(&uri, context).await?;
        let version = context.version();
        let write = |Page { items, next }: Page<_>| {
            server.write(&Listed { resources: items, next_cursor: next }, version, LISTS)
        };
        // Folders are small and many; their pages are not kept.
        let page = Pages::new().page(children, version, cursor.as_deref(), write)?;
        Ok(Payload::Shared(page))
    })
}
