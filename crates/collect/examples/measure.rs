fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let settings = plimsoll_collect::Settings {
        timeout: std::time::Duration::from_secs(30),
        regions: if std::env::var_os("ALL").is_some() {
            plimsoll_collect::RegionChoice::All
        } else {
            plimsoll_collect::RegionChoice::Named(vec!["us-east-1".into()])
        },
        progress: std::env::var_os("PROGRESS").is_some(),
        ..Default::default()
    };
    let begun = std::time::Instant::now();
    let inventory = runtime.block_on(plimsoll_collect::collect(&settings, plimsoll_collect::Interrupt::never()));
    match inventory {
        Ok(i) => {
            eprintln!("{:?} resources {} gaps {} calls {:?}", begun.elapsed(), i.len(), i.gaps.len(), i.call_totals());
            for (n, c) in &i.header.calls {
                eprintln!("{n} {c:?}");
            }
            for g in i.gaps.iter().take(10) {
                eprintln!("{g:?}");
            }
            if let Some(p) = std::env::args().nth(1) {
                plimsoll_model::write_file(&i, p.as_ref()).unwrap();
            }
        }
        Err(e) => eprintln!("{e} / {} / {e:?}", e.hint()),
    }
}
