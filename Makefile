# Thin on purpose: what a target does is in the command that it runs.

# The SDK compiles in a third of the time with a hint that is still unstable; see build/fast-sdk.toml.
CARGO := RUSTC_BOOTSTRAP=1 cargo -Zprofile-hint-mostly-unused --config build/fast-sdk.toml

.PHONY: demo test check ci bench fuzz docs generate release demo-snapshot

demo: ## Build, start LocalStack, seed the sample account and scan it
	@PLIMSOLL_CARGO='$(CARGO)' build/demo.sh

test: ## Every test, those against LocalStack and moto included
	@PLIMSOLL_CARGO='$(CARGO)' build/test.sh

check: ## Format, lints, generated files, dependencies
	@PLIMSOLL_CARGO='$(CARGO)' build/check.sh

ci: check test

bench: ## What plimsoll itself costs, as ratios
	$(CARGO) bench -p plimsoll-checks --bench large
	$(CARGO) run -q --release -p plimsoll-net --example scale
	$(CARGO) run -q --release -p plimsoll-iam --example measure
	@PLIMSOLL_CARGO='$(CARGO)' build/bench.sh

fuzz: ## A minute on each fuzz target (needs cargo-fuzz); what is found goes to target/fuzz
	cd crates/iam/fuzz && for target in document simulate; do mkdir -p ../../../target/fuzz/$$target && RUSTC_BOOTSTRAP=1 \
	  cargo fuzz run $$target ../../../target/fuzz/$$target corpus/$$target -- -max_total_time=60 -max_len=8192 || exit 1; done

generate: ## Rewrite the registry of checks, the check reference and the schemas
	$(CARGO) run -q -p plimsoll-checks --example generate
	$(CARGO) run -q --example pages
	$(CARGO) run -q -- schema result > docs/schema/result.schema.json
	$(CARGO) run -q -- schema snapshot > docs/schema/snapshot.schema.json
	$(CARGO) run -q -- schema responsibility > docs/schema/responsibility.schema.json
	$(CARGO) run -q -- schema doctor > docs/schema/doctor.schema.json
	$(CARGO) run -q -- config schema > docs/schema/config.schema.json

docs: ## The book, in target/book (needs mdbook)
	mdbook build docs --dest-dir ../target/book

release: ## The static binary, in target/release
	$(CARGO) build --release

demo-snapshot: ## Collect the sample account anew into the binary (with LocalStack running and seeded)
	AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_ACCESS_KEY_ID=222222222222 AWS_SECRET_ACCESS_KEY=test \
	  $(CARGO) run -q -- collect --region us-east-1,eu-west-3 -o src/demo.ndjson.zst
