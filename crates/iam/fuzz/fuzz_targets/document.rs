//! Any text as a document of any kind: reading it ends, and what is read can be asked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plimsoll_iam::{Attached, Caller, Document, DocumentKind, Policies, Request, evaluate, summarize};

const KINDS: [DocumentKind; 9] = [
    DocumentKind::Identity,
    DocumentKind::Boundary,
    DocumentKind::Session,
    DocumentKind::ServiceControl,
    DocumentKind::ResourceControl,
    DocumentKind::Resource,
    DocumentKind::Unaddressed,
    DocumentKind::Trust,
    DocumentKind::Endpoint,
];

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let kind = KINDS[usize::from(*first) % KINDS.len()];
    let Ok(document) = Document::from_text(kind, text) else { return };
    if kind == DocumentKind::Identity {
        let identity = vec![Attached::new("fuzzed", Ok(document))];
        let policies = Policies { identity, ..Policies::default() };
        let caller = Caller::parse("arn:aws:iam::111122223333:role/app").expect("an ARN");
        for resource in ["*", "arn:aws:s3:::bucket/key", "arn:aws:iam::111122223333:role/app"] {
            let request = Request::new(caller.clone(), "s3:GetObject", resource);
            let decision = evaluate(&request, &policies).expect("a valid document");
            assert!(decision.worst <= decision.best);
            let _ = decision.explain(&request).to_string();
        }
        let _ = summarize(&policies);
    }
});
