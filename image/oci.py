#!/usr/bin/env python3
"""An OCI image layout of static programs, as one tar; no container engine needed.

    image/oci.py DEST.tar REFERENCE ENTRYPOINT [FILE=PATH_IN_IMAGE…]

One layer with the given files, /etc/passwd and the certificate authorities of this machine, root
owned and read-only; the user is 65532. The same input gives the same bytes: no times, no names of
this machine. Extra environment: SOURCE_DATE_EPOCH and REVISION (labels).
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
USER = 65532


def entry(name, kind=tarfile.REGTYPE, mode=0o555, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size = kind, mode, size
    info.mtime = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    return info


def layer(files):
    """The layer's bytes: folders first, then files, by name."""
    contents = {
        "etc/passwd": f"nonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n".encode(),
        "etc/group": f"nonroot:x:{USER}:\n".encode(),
    }
    with open(AUTHORITIES, "rb") as authorities:
        contents["etc/ssl/certs/ca-certificates.crt"] = authorities.read()
    programs = set()
    for pair in files:
        source, _, target = pair.partition("=")
        target = target.lstrip("/")
        if not target or ".." in target.split("/"):
            sys.exit(f"{pair}: write FILE=/PATH/IN/IMAGE")
        with open(source, "rb") as program:
            contents[target] = program.read()
        programs.add(target)
    folders = {"tmp"}
    for name in contents:
        parts = name.split("/")[:-1]
        folders.update("/".join(parts[: count + 1]) for count in range(len(parts)))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(folders):
            tar.addfile(entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
        for name in sorted(contents):
            mode = 0o555 if name in programs else 0o444
            tar.addfile(entry(name, mode=mode, size=len(contents[name])), io.BytesIO(contents[name]))
    return out.getvalue()


def main(destination, reference, entrypoint, *files):
    plain = layer(files)
    packed = gzip.compress(plain, compresslevel=9, mtime=0)
    blobs = {}

    def blob(media_type, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    oci = "application/vnd.oci.image"
    labels = {"org.opencontainers.image.source": "https://github.com/metio/stageset-controller"}
    if os.environ.get("REVISION"):
        labels["org.opencontainers.image.revision"] = os.environ["REVISION"]
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": [entrypoint],
            "Env": ["PATH=/", "SSL_CERT_FILE=/" + AUTHORITIES.lstrip("/")],
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]},
        "history": [{"created_by": "image/oci.py"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": blob(f"{oci}.config.v1+json", json.dumps(config, sort_keys=True).encode()),
        "layers": [blob(f"{oci}.layer.v1.tar+gzip", packed)],
    }
    described = blob(f"{oci}.manifest.v1+json", json.dumps(manifest, sort_keys=True).encode())
    described["annotations"] = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
    }
    index = {"schemaVersion": 2, "mediaType": f"{oci}.index.v1+json", "manifests": [described]}
    with tarfile.open(destination, "w", format=tarfile.USTAR_FORMAT) as tar:
        parts = {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps(index, sort_keys=True).encode(),
        }
        parts.update({f"blobs/sha256/{digest}": data for digest, data in sorted(blobs.items())})
        for name, data in parts.items():
            tar.addfile(entry(name, mode=0o444, size=len(data)), io.BytesIO(data))
    print(f"{destination}: {reference}, {len(packed) / 1048576:.1f} MiB packed, "
          f"{len(plain) / 1048576:.1f} MiB unpacked, {described['digest']}")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
