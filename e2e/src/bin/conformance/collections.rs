//! Requests about all objects of a kind: lists, and the deletion of what a selector chooses.

use crate::generator::DRY_RUN;
use crate::kinds::Kind;
use crate::operation::{CONTINUE, Operation};
use crate::random::Random;

pub(crate) fn delete_collection(
    operation: Operation,
    kind: &Kind,
    name: &str,
    random: &mut Random,
) -> Operation {
    let selector = random.pick(&["a%3D1", "a%20in%20(1,2)", "b"]);
    let mut query = vec![format!("labelSelector={selector}")];
    if random.percent(30) {
        query.push(DRY_RUN.to_owned());
    }
    // What the cluster itself or another lane has in no namespace isn't ours to delete.
    if !kind.namespaced {
        query.push(format!("fieldSelector=metadata.name%3D{name}"));
    }
    operation.query(&query)
}

/// Of a kind in no namespace a list shows one object of this round: others are there as well.
pub(crate) fn list(
    mut operation: Operation,
    kind: &Kind,
    name: &str,
    random: &mut Random,
) -> Operation {
    let selectors = [
        "",
        "",
        "a=1",
        "a%3D1",
        "a!=1",
        "a%20in%20(1,2)",
        "a%20notin%20(1)",
        "!a,b",
        "a%3E1",
        "a=%3D=",
        "a%20in%20()",
        "a%20in%201",
        "%21",
        "a,,b",
    ];
    let mut query = Vec::new();
    match random.pick(&selectors) {
        "" => {}
        selector => query.push(format!("labelSelector={selector}")),
    }
    if !kind.namespaced {
        let more = random.pick(&["", "", "", ",spec.nothing%3D1", ",metadata.name!=x"]);
        query.push(format!("fieldSelector=metadata.name%3D{name}{more}"));
    } else if random.percent(25) {
        let mut fields = vec![
            "metadata.name%3Da",
            "metadata.name!=a",
            "metadata.namespace%3Dx",
        ];
        fields.push(random.pick(&[
            "spec.nothing%3D1",
            "metadata.name",
            "status.phase%3DPending",
        ]));
        let own = kind
            .selectable
            .first()
            .map(|field| format!("{field}%3DOpaque"));
        let picked = random.pick(&fields).to_owned();
        let field = own.filter(|_| random.percent(40)).unwrap_or(picked);
        query.push(format!("fieldSelector={field}"));
    }
    if random.percent(15) {
        query.push(format!("limit={}", random.pick(&["1", "1", "2", "x"])));
        if random.percent(50) {
            query.push(format!("continue={CONTINUE}"));
        }
    }
    if random.percent(10) {
        query.push(
            random
                .pick(&[
                    "resourceVersion=0",
                    "resourceVersion=1",
                    "resourceVersion=x",
                ])
                .into(),
        );
        if random.percent(40) {
            let how = random.pick(&["Exact", "NotOlderThan", "Odd"]);
            query.push(format!("resourceVersionMatch={how}"));
        }
    }
    if random.percent(10) {
        let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        operation = operation.header("accept", accept);
    }
    operation.query(&query)
}
