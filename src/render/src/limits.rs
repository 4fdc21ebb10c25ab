//! The bounds that every step of a build keeps, in one place.
//!
//! Input comes from tenants, so each size, count and depth has a limit. A build that exceeds one
//! stops with an error that names the limit; it never truncates.

/// Bounds for unpacking and building. Every field has a default, so callers change what they
/// need: `Limits { entry_bytes: 1024, ..Limits::default() }`.
///
/// The archive figures are those of `reconcile.md` §0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Compressed size of an artifact in bytes. Default 64 MiB.
    pub artifact_bytes: u64,
    /// Size of one file in an artifact in bytes. Default 16 MiB.
    pub entry_bytes: u64,
    /// Size of the inflated archive in bytes, headers, padding and skipped entries included.
    /// Default 512 MiB.
    pub stream_bytes: u64,
    /// Sum of the sizes of all files kept from an artifact, in bytes. Default 64 MiB.
    pub extracted_bytes: u64,
    /// Size of one extended archive header (PAX record, GNU long name) in bytes. Default 1 MiB.
    pub header_bytes: u64,
    /// Length of one path in an archive in bytes. Default 4096.
    pub path_bytes: usize,
    /// Files kept from an artifact. Default 200 000.
    pub files: usize,
    /// Bytes of the names of all files kept from an artifact; one that isn't spelled plainly, as
    /// `./a`, counts twice. Default 32 MiB.
    pub names_bytes: usize,
    /// Size of one manifest file in bytes. Default 16 MiB.
    pub manifest_bytes: usize,
    /// Documents in one manifest file. Default 10 000.
    pub documents: usize,
    /// Nesting of mappings and sequences in one document. Default 100.
    pub depth: usize,
    /// Nodes (mappings, sequences, scalars) of one file. Default 2 000 000.
    pub nodes: usize,
    /// Nodes that aliases and merge keys of one document may add by repetition. Default 100 000.
    pub alias_nodes: usize,
    /// Bytes of texts that anchors and aliases of one file may repeat. Default 16 MiB.
    pub alias_bytes: usize,
    /// Brackets, commas, colons, quotes and spaces of one list or mapping in brackets that could be a
    /// key in YAML; JSON has no such bound. Default 150 000.
    pub held_marks: usize,
    /// Objects of one build. Default 10 000.
    pub objects: usize,
    /// Kustomizations of one build; one that is used twice counts twice. Default 1 000.
    pub kustomizations: usize,
    /// Bytes that one build reads or writes: a file that is used twice counts
    /// twice, and so does a patch that goes to two objects. Default 64 MiB.
    pub build_bytes: usize,
    /// Bytes that substitution may make, of all objects together. Default 64 MiB.
    pub substitution_bytes: usize,
    /// Nodes that substitution may make, of all objects together, counted as those of a build.
    /// Default 400 000.
    pub substitution_nodes: usize,
    /// Steps that the patterns of one text's expressions may take. Default 10 000 000.
    pub substitution_steps: usize,
    /// Nodes that one build reads or writes. A mapping counts as eight: that is
    /// what it takes in memory. With [`Limits::build_bytes`] this keeps a build within 256 MiB.
    /// Default 2 400 000.
    pub build_nodes: usize,
    /// Steps of one build of a kustomization: about one for each node that a transformer passes.
    /// Default 200 000 000, which is some seconds.
    pub build_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            artifact_bytes: 64 * MIB,
            entry_bytes: 16 * MIB,
            stream_bytes: 512 * MIB,
            extracted_bytes: 64 * MIB,
            header_bytes: MIB,
            path_bytes: 4096,
            files: 200_000,
            names_bytes: 32 * 1024 * 1024,
            manifest_bytes: 16 * 1024 * 1024,
            documents: 10_000,
            depth: 100,
            nodes: 2_000_000,
            alias_nodes: 100_000,
            held_marks: 150_000,
            alias_bytes: 16 * 1024 * 1024,
            objects: 10_000,
            kustomizations: 1000,
            build_bytes: 64 * 1024 * 1024,
            substitution_bytes: 64 * 1024 * 1024,
            substitution_nodes: 400_000,
            substitution_steps: 10_000_000,
            build_nodes: 2_400_000,
            build_steps: 200_000_000,
        }
    }
}
