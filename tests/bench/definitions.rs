//! How long definitions take to be read and rendered: `cargo bench --bench definitions`. What a whole process takes is
//! measured by `definitions.sh` beside this.
#![allow(clippy::unwrap_used, missing_docs, reason = "in a measurement, a panic is how a fault shows")]

use std::{fs, hint::black_box, path::Path, sync::Arc, time::Duration};

use crew::{
    catalog::Catalog,
    defs::{Source, parse_employee, parse_pipeline},
    engine::{Crew, Given, Models},
    llm,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A project with `count` employees of an ordinary size.
fn project(count: usize) -> TempDir {
    let folder = TempDir::with_prefix("crew-bench-").unwrap();
    let employees = folder.path().join("private/employees");
    fs::create_dir_all(&employees).unwrap();
    for number in 0..count {
        let body = format!("Look at $target on {{date}}, for $focus. {}\n", "Say what you see. ".repeat(40));
        let text = format!(
            "---\nname: worker-{number}\ndisplay_name: 第 {number} 位\ndescription: Looks at things\nversion: 1.0.{number}\n\
             tags: [a, b]\ntriggers: [w{number}, 工{number}]\nmodel: echo\nargs:\n  - name: target\n    description: What \
             to look at\n    required: true\n  - name: focus\n    default: all of it\n---\n\n{body}"
        );
        fs::write(employees.join(format!("worker-{number}.md")), text).unwrap();
    }
    folder
}

fn crew(root: &Path) -> Crew {
    let client = llm::Client::new(llm::Settings::default(), Arc::default());
    Crew::new(Catalog::open(root.to_owned()), client, Models::of("echo"))
}

fn parsing(bench: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| Source::new("x", fs::read_to_string(root.join(path)).unwrap());
    let employee = read(".crew/employees/test-engineer.md");
    let pipeline = read(".crew/pipelines/full-review.yaml");
    bench.bench_function("parse an employee", |run| run.iter(|| parse_employee(black_box(&employee))));
    bench.bench_function("parse a pipeline", |run| run.iter(|| parse_pipeline(black_box(&pipeline), "p")));
}

fn rendering(bench: &mut Criterion) {
    let runtime = runtime();
    let folder = project(1);
    let crew = crew(folder.path());
    let employee = runtime.block_on(crew.employee("worker-0")).unwrap();
    let given = Given { named: indexmap::IndexMap::default(), positional: vec!["src/main.rs".to_owned()] };
    bench.bench_function("render a prompt", |run| {
        run.iter(|| runtime.block_on(crew.render(black_box(&employee), &given)).unwrap());
    });
    let mut group = bench.benchmark_group("render a value of a size");
    for size in [1 << 10, 1 << 14, 1 << 18] {
        let given = Given { positional: vec!["$target {date} ".repeat(size / 15)], ..Given::default() };
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |run| {
            run.iter(|| runtime.block_on(crew.render(black_box(&employee), &given)).unwrap());
        });
    }
}

fn loading(bench: &mut Criterion) {
    let runtime = runtime();
    let mut group = bench.benchmark_group("read employees");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for count in [100, 1_000, 5_000] {
        let folder = project(count);
        group.bench_function(BenchmarkId::new("cold", count), |run| {
            run.iter(|| {
                let catalog = Catalog::open(folder.path().to_owned());
                assert_eq!(runtime.block_on(catalog.current()).employees.len(), count);
            });
        });
        let catalog = Catalog::open(folder.path().to_owned());
        runtime.block_on(catalog.current());
        group.bench_function(BenchmarkId::new("warm", count), |run| {
            run.iter(|| runtime.block_on(catalog.current()).employees.len());
        });
        let mut version = 0_u64;
        group.bench_function(BenchmarkId::new("one changed", count), |run| {
            run.iter(|| {
                version += 1;
                let text = format!("---\nname: worker-0\ndescription: Number {version}\n---\n\nWork.\n");
                fs::write(folder.path().join("private/employees/worker-0.md"), text).unwrap();
                assert!(runtime.block_on(catalog.refresh()));
            });
        });
    }
}

criterion_group!(benches, parsing, rendering, loading);
criterion_main!(benches);
