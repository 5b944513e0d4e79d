//! What the documents say is there, is there.

use std::collections::BTreeSet;
use std::path::Path;

/// The names of all functions of the workspace.
fn functions(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target" && name != ".git") {
                functions(&path, names);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let declared = text.lines().filter_map(|line| {
                let name = line.trim_start().strip_prefix("fn ")?.split(['(', '<']).next()?;
                Some(name.to_owned())
            });
            names.extend(declared);
        }
    }
}

#[test]
fn each_threat_is_shown_by_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("docs/threat-model.md")).expect("the document");
    let mut names = BTreeSet::new();
    functions(&root, &mut names);
    let rows = text.lines().filter(|line| {
        let number = line.strip_prefix("| ").and_then(|rest| rest.split(' ').next());
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });
    let mut threats = 0;
    for row in rows {
        threats += 1;
        assert!(row.starts_with(&format!("| {threats} |")), "numbered in order: {row}");
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        // Side channels that are open are argued, not shown.
        let [.., shown] = cells[..] else { panic!("{row}") };
        if cells.len() < 5 {
            continue;
        }
        let quoted: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!quoted.is_empty(), "nothing shows it: {row}");
        for name in quoted {
            match name.strip_prefix("lab: ") {
                Some(part) => {
                    let part = root.join("lab/parts").join(part);
                    assert!(part.exists() || part.with_extension("sh").exists(), "{name}");
                }
                None => assert!(names.contains(name), "there is no test {name}"),
            }
        }
    }
    assert!(threats >= 60, "{threats}");
}
