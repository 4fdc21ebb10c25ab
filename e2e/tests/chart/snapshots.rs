//! What each mode renders, as reviewed files under `snapshots/chart`.

use stageset_e2e::tools;

use crate::modes::modes;

#[test]
fn rendered_as_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(tools::repository_root().join("snapshots/chart"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for mode in modes() {
            let text = mode.release.without_crds().render(&[]).unwrap();
            insta::assert_snapshot!(mode.name.replace(' ', "-"), text);
        }
    });
}
