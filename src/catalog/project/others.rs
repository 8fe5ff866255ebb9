//! Manifests that are no data but code or markup, read for the names in them.

use serde_json::Value;
use toml::Table;

use super::{
    Part,
    manifests::{first, normal, python, requirement},
};

pub(super) fn setup_py(text: &str, part: &mut Part) {
    // The libraries are texts in quotes inside `install_requires=[…]` and its like.
    let lists = text.split("_require").skip(1).filter_map(|rest| rest.split_once('[')?.1.split(']').next());
    let names: Vec<String> = lists.flat_map(quoted).filter_map(requirement).collect();
    python(&names, part);
}

pub(super) fn setup_cfg(text: &str, part: &mut Part) {
    let names: Vec<String> = text
        .lines()
        .filter_map(|line| {
            if line.starts_with([' ', '\t']) {
                Some(line)
            } else {
                line.split_once('=').map(|(_, rest)| rest)
            }
        })
        .filter_map(requirement)
        .collect();
    python(&names, part);
    for tool in ["mypy", "flake8"] {
        if text.lines().any(|line| line.trim_end() == format!("[{tool}]")) {
            part.lint(tool);
        }
    }
    if text.contains("[tool:pytest]") {
        "pytest".clone_into(&mut part.test_framework);
    }
}

pub(super) fn pipfile(text: &str, part: &mut Part) {
    let table: Table = text.parse().unwrap_or_default();
    let lists = ["packages", "dev-packages"].iter().filter_map(|key| table.get(*key)?.as_table());
    let names: Vec<String> = lists.flat_map(|list| list.keys().map(|name| normal(name))).collect();
    python(&names, part);
    "pipenv".clone_into(&mut part.package_manager);
}

/// Java and Kotlin: frameworks by the groups of their libraries.
pub(super) fn jvm(text: &str, manager: &str, part: &mut Part) {
    manager.clone_into(&mut part.package_manager);
    let has = |name: &&(&str, &str)| text.contains(name.0);
    let frameworks = [
        ("org.springframework.boot", "spring-boot"),
        ("io.quarkus", "quarkus"),
        ("io.micronaut", "micronaut"),
        ("io.ktor", "ktor"),
        ("com.android.application", "android"),
    ];
    part.framework = frameworks.iter().find(has).map(|(_, name)| (*name).to_owned()).unwrap_or_default();
    let tests = [
        ("io.kotest", "kotest"),
        ("org.testng", "testng"),
        ("junit", "junit"),
        ("kotlin(\"test\")", "kotlin-test"),
    ];
    part.test_framework = tests.iter().find(has).map(|(_, name)| (*name).to_owned()).unwrap_or_default();
    for (name, tool) in
        [("ktlint", "ktlint"), ("detekt", "detekt"), ("checkstyle", "checkstyle"), ("spotless", "spotless")]
    {
        if text.contains(name) {
            part.lint(tool);
        }
    }
}

pub(super) fn composer(text: &str, part: &mut Part) {
    "composer".clone_into(&mut part.package_manager);
    let manifest: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    let lists = ["require", "require-dev"].iter().filter_map(|key| manifest.get(key)?.as_object());
    let names: Vec<String> = lists.flat_map(|list| list.keys().cloned()).collect();
    let frameworks = [
        ("laravel/framework", "laravel"),
        ("symfony/framework-bundle", "symfony"),
        ("slim/slim", "slim"),
        ("cakephp/cakephp", "cakephp"),
    ];
    part.framework = first(&frameworks, &names);
    part.test_framework = first(&[("pestphp/pest", "pest"), ("phpunit/phpunit", "phpunit")], &names);
    for (library, tool) in [
        ("phpstan/phpstan", "phpstan"),
        ("squizlabs/php_codesniffer", "phpcs"),
        ("friendsofphp/php-cs-fixer", "php-cs-fixer"),
        ("laravel/pint", "pint"),
    ] {
        if names.iter().any(|name| name == library) {
            part.lint(tool);
        }
    }
}

pub(super) fn gemfile(text: &str, part: &mut Part) {
    "bundler".clone_into(&mut part.package_manager);
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("gem "));
    let names: Vec<String> = lines.filter_map(|line| quoted(line).next()).map(str::to_owned).collect();
    part.framework = first(&["rails", "sinatra", "hanami"].map(|name| (name, name)), &names);
    let tests = [("rspec-rails", "rspec"), ("rspec", "rspec"), ("minitest", "minitest")];
    part.test_framework = first(&tests, &names);
    for tool in ["rubocop", "standard"] {
        if names
            .iter()
            .any(|name| name == tool || name.strip_prefix(tool).is_some_and(|more| more.starts_with('-')))
        {
            part.lint(tool);
        }
    }
}

pub(super) fn dotnet(text: &str, part: &mut Part) {
    "nuget".clone_into(&mut part.package_manager);
    let frameworks = [
        ("Microsoft.NET.Sdk.BlazorWebAssembly", "blazor"),
        ("Microsoft.NET.Sdk.Web", "aspnetcore"),
        ("Microsoft.NET.Sdk.Worker", "worker"),
    ];
    let sdk = frameworks.iter().find(|(sdk, _)| text.contains(&format!("\"{sdk}\"")));
    part.framework = sdk.map(|(_, name)| (*name).to_owned()).unwrap_or_default();
    let includes = |name: &str| text.contains(&format!("Include=\"{name}"));
    let tests = ["xunit", "NUnit", "MSTest"].into_iter().find(|name| includes(name));
    part.test_framework = tests.map_or_else(|| "dotnet test".to_owned(), str::to_lowercase);
    if includes("StyleCop.Analyzers") {
        part.lint("stylecop");
    }
}

/// Folders named by `use` in a `go.work`.
pub(super) fn go_work(text: &str) -> Vec<String> {
    let words = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
    let folders = words.map(|line| line.strip_prefix("use ").unwrap_or(line).trim());
    folders.filter(|folder| folder.starts_with("./")).map(str::to_owned).collect()
}

/// Folders of `<module>` in a `pom.xml`.
pub(super) fn maven_modules(text: &str) -> Vec<String> {
    let modules = text.split("<module>").skip(1).filter_map(|rest| rest.split("</module>").next());
    modules.map(|name| name.trim().to_owned()).collect()
}

/// The texts between quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split(['"', '\'']).skip(1).step_by(2)
}
