//! The decision: a request and its policies flow in, a verdict with what decides it flows out. One evaluation serves
//! complete and incomplete contexts: where all is known, no condition is left open.

use compact_str::CompactString;

use crate::atom::Atoms;
use crate::choose;
use crate::context::Context;
use crate::decision::{Cited, Decision, Verdict};
use crate::document::{Action, Asked, Effect, Statement};
use crate::policies::{Attached, Layer, Malformed, Policies, Request, Stack, is_bound_by_rcps, is_reserved_to_aws, needs_resource_policy};
use crate::principal::NamedBy;
use crate::tri::Tri;

/// The most undecided conditions whose combinations are all tried.
pub(crate) const MAX_ATOMS: usize = 12;

/// Decides a request.
///
/// # Errors
///
/// A policy of the caller, the resource or the organisation that is not valid: the request is not assessed.
pub fn evaluate(request: &Request, policies: &Policies) -> Result<Decision, Malformed> {
    evaluate_stack(request, &Stack::from(policies))
}

pub(crate) fn evaluate_stack(request: &Request, stack: &Stack<'_>) -> Result<Decision, Malformed> {
    if let Some(malformed) = stack.malformed().next() {
        return Err(malformed);
    }
    let open = decide(request, &request.context, stack);
    if open.verdict != Verdict::Conditional {
        return Ok(open);
    }
    Ok(choose::best_choice(request, stack, open))
}

/// Decides in a given context, taking chosen keys for unknown ones.
pub(crate) fn decide(request: &Request, context: &Context, stack: &Stack<'_>) -> Decision {
    let Some(action) = Action::parse(&request.action) else { return Decision::nothing_grants(stack) };
    if &*action.service == "sts" && &*action.name == "getcalleridentity" {
        return Decision::always();
    }
    Matches::collect(request, context, &action, stack).decide()
}

/// A statement that applies, certainly or on some conditions.
pub(crate) struct Hit<'p> {
    pub(crate) layer: Layer,
    pub(crate) policy: &'p CompactString,
    pub(crate) statement: &'p Statement,
    pub(crate) named: NamedBy,
    pub(crate) runs_over: bool,
    /// Undecided conditions, all of which must come out as said.
    pub(crate) literals: Vec<Literal>,
}

/// An undecided condition and how it must come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    pub(crate) atom: usize,
    pub(crate) negated: bool,
}

/// What kind of request this is, as far as it changes how layers combine.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all combinations occur")]
struct Shape {
    service_caller: bool,
    anonymous: bool,
    root: bool,
    same_account: bool,
    /// Identity policies count for this caller.
    has_identity: bool,
    bounded: bool,
    in_session: bool,
    /// The resource does not trust its own account unless its policy says so.
    guarded: bool,
    /// AWS does this itself, and lets nobody else.
    reserved: bool,
    scp_levels: usize,
    has_endpoint: bool,
}

/// All that matches a request.
pub(crate) struct Matches<'p> {
    shape: Shape,
    pub(crate) hits: Vec<Hit<'p>>,
    pub(crate) atoms: Atoms<'p>,
    unread: &'p [Layer],
}

/// The layers' answers.
struct Layers {
    deny: Tri,
    identity: Tri,
    boundary: Tri,
    session: Tri,
    scps: Vec<Tri>,
    endpoint: Tri,
    /// The resource policy by how it names the caller.
    exact: Tri,
    everyone: Tri,
    through: Tri,
    account: Tri,
}

impl<'p> Matches<'p> {
    pub(crate) fn collect(request: &Request, context: &Context, action: &Action, stack: &Stack<'p>) -> Self {
        let caller = &request.caller;
        let caller_is_bound = !(stack.caller_manages || caller.is_service() || caller.is_anonymous() || caller.is_service_linked());
        let resource_is_bound = !(stack.rcps.is_empty() || stack.resource_manages || caller.is_service_linked())
            && is_bound_by_rcps(&action.service, &action.name);
        let shape = Shape {
            service_caller: caller.is_service(),
            anonymous: caller.is_anonymous(),
            root: caller.is_root(),
            same_account: request.is_same_account(),
            has_identity: !caller.is_federated_user() || !stack.session.is_empty(),
            bounded: stack.boundary.is_some(),
            in_session: !stack.session.is_empty(),
            guarded: needs_resource_policy(&action.service, &action.name, &request.resource),
            reserved: is_reserved_to_aws(&action.service, &action.name, &request.resource),
            scp_levels: if caller_is_bound { stack.scps.len() } else { 0 },
            has_endpoint: stack.endpoint.is_some(),
        };
        let mut matches = Self { shape, hits: Vec::new(), atoms: Atoms::default(), unread: stack.unread };
        let asked = Asked::new(&request.resource);
        for (layer, attached) in stack.all() {
            let applies = match layer {
                Layer::ServiceControl(_) => caller_is_bound,
                Layer::ResourceControl(_) => resource_is_bound,
                _ => true,
            };
            if applies {
                matches.add(layer, attached, request, context, action, &asked);
            }
        }
        matches
    }

    fn add(&mut self, layer: Layer, attached: &'p Attached, request: &Request, context: &Context, action: &Action, asked: &Asked<'_>) {
        let Ok(document) = &attached.document else { return };
        for statement in &document.statements {
            if !statement.actions.match_action(action) {
                continue;
            }
            let Some(named) = statement.reach(&request.caller, self.shape.bounded) else { continue };
            let (covered, runs_over) = statement.match_resource(asked, context);
            if covered == Tri::False {
                continue;
            }
            let mut literals = Vec::new();
            if covered == Tri::Unknown {
                literals.extend(self.atoms.resource(layer, &attached.name, statement));
            }
            let holds = statement.conditions.iter().all(|condition| match condition.evaluate(context) {
                Tri::False => false,
                Tri::True => true,
                Tri::Unknown => {
                    literals.push(self.atoms.condition(layer, &attached.name, statement, condition));
                    true
                }
            });
            if holds {
                self.hits.push(Hit { layer, policy: &attached.name, statement, named, runs_over, literals });
            }
        }
    }

    fn is_unread(&self, layer: Layer) -> bool {
        self.unread.contains(&layer)
    }

    /// The layers' answers when undecided conditions come out as `value` says.
    fn layers(&self, value: impl Fn(&Hit<'_>) -> Tri) -> Layers {
        let assumed = |layer| Tri::from(self.is_unread(layer));
        let mut layers = Layers {
            deny: Tri::False,
            identity: assumed(Layer::Identity),
            boundary: assumed(Layer::Boundary),
            session: assumed(Layer::Session),
            scps: (0..self.shape.scp_levels).map(|level| assumed(Layer::ServiceControl(level))).collect(),
            endpoint: assumed(Layer::Endpoint),
            exact: Tri::False,
            everyone: Tri::False,
            through: Tri::False,
            // As if it trusted the account: an unread resource policy is in nobody's way, but grants nothing by itself.
            account: assumed(Layer::Resource),
        };
        for hit in &self.hits {
            let holds = value(hit);
            let place = match (hit.statement.effect, hit.layer) {
                (Effect::Deny, _) => &mut layers.deny,
                (Effect::Allow, Layer::Identity) => &mut layers.identity,
                (Effect::Allow, Layer::Boundary) => &mut layers.boundary,
                (Effect::Allow, Layer::Session) => &mut layers.session,
                (Effect::Allow, Layer::Endpoint) => &mut layers.endpoint,
                (Effect::Allow, Layer::ResourceControl(_) | Layer::Grants) => continue,
                (Effect::Allow, Layer::ServiceControl(level)) => match layers.scps.get_mut(level) {
                    Some(place) => place,
                    None => continue,
                },
                (Effect::Allow, Layer::Resource) => match hit.named {
                    NamedBy::Exact => &mut layers.exact,
                    NamedBy::Everyone => &mut layers.everyone,
                    NamedBy::Role | NamedBy::User => &mut layers.through,
                    NamedBy::Account => &mut layers.account,
                },
            };
            *place = place.or(holds);
        }
        layers
    }

    /// Whether something denies, and whether what must allow does.
    fn combine(&self, layers: &Layers) -> (Tri, Tri) {
        let shape = &self.shape;
        let bounded = if shape.bounded || self.is_unread(Layer::Boundary) { layers.boundary } else { Tri::True };
        let session = if shape.in_session || self.is_unread(Layer::Session) { layers.session } else { Tri::True };
        let limits = bounded.and(session);
        let identity = if shape.root {
            Tri::True
        } else if shape.has_identity {
            layers.identity
        } else {
            Tri::False
        };
        let own = identity.and(limits);
        // A federated user's session without a policy of its own has no identity permissions, but a resource policy
        // that names the session itself reaches it; across accounts the user's policies must agree.
        let named = if shape.has_identity { Tri::False } else { layers.identity.and(limits).and(layers.exact) };
        let direct = layers.exact.or(layers.everyone);
        let granted = if shape.service_caller {
            layers.exact.or(self.unread_resource())
        } else if shape.anonymous {
            layers.everyone.or(self.unread_resource())
        } else if shape.same_account {
            let through = layers.through.and(limits);
            let own = if shape.guarded { own.and(layers.account) } else { own };
            direct.or(through).or(own)
        } else {
            own.and(Tri::any([direct, layers.through, layers.account])).or(named)
        };
        let controls = Tri::all(layers.scps.iter().copied());
        let endpoint = if shape.has_endpoint { layers.endpoint } else { Tri::True };
        (layers.deny, Tri::all([granted, controls, endpoint, (!shape.reserved).into()]))
    }

    /// For callers whom only the resource policy can admit.
    fn unread_resource(&self) -> Tri {
        self.is_unread(Layer::Resource).into()
    }

    fn verdict(&self, value: impl Fn(&Hit<'_>) -> Tri) -> (Tri, Tri) {
        self.combine(&self.layers(value))
    }

    pub(crate) fn decide(self) -> Decision {
        let open = |hit: &Hit<'_>| if hit.literals.is_empty() { Tri::True } else { Tri::Unknown };
        let (deny, allow) = self.verdict(open);
        let settled = match (deny, allow) {
            (Tri::True, _) => Some(Verdict::ExplicitlyDenied),
            (Tri::False, Tri::True) => Some(Verdict::Allowed),
            (Tri::False, Tri::False) => Some(Verdict::ImplicitlyDenied),
            _ => None,
        };
        let (best, worst) = match settled {
            Some(verdict) => (verdict, verdict),
            None => self.extremes(deny, allow),
        };
        let verdict = match (best, worst) {
            (best, worst) if best == worst => best,
            (Verdict::Allowed, _) => Verdict::Conditional,
            // Denied either way; explicitly only if always.
            _ => Verdict::ImplicitlyDenied,
        };
        self.explain(verdict, best, worst)
    }

    /// The best and the worst that undecided conditions can lead to.
    fn extremes(&self, deny: Tri, allow: Tri) -> (Verdict, Verdict) {
        let atoms = self.atoms.len();
        if atoms > MAX_ATOMS {
            let best = if allow == Tri::False { Verdict::ImplicitlyDenied } else { Verdict::Allowed };
            let worst = match (deny, allow) {
                (Tri::False, Tri::True) => Verdict::Allowed,
                (Tri::False, _) => Verdict::ImplicitlyDenied,
                _ => Verdict::ExplicitlyDenied,
            };
            return (best, worst);
        }
        let mut extremes: Option<(Verdict, Verdict)> = None;
        for assignment in 0_u32..(1 << atoms) {
            let value = |hit: &Hit<'_>| {
                let as_said = |literal: &Literal| (assignment >> literal.atom & 1 == 1) != literal.negated;
                Tri::from(hit.literals.iter().all(as_said))
            };
            let verdict = match self.verdict(value) {
                (Tri::True, _) => Verdict::ExplicitlyDenied,
                (_, Tri::True) => Verdict::Allowed,
                _ => Verdict::ImplicitlyDenied,
            };
            let (best, worst) = extremes.unwrap_or((verdict, verdict));
            extremes = Some((best.max(verdict), worst.min(verdict)));
        }
        extremes.unwrap_or((Verdict::ImplicitlyDenied, Verdict::ImplicitlyDenied))
    }

    /// Layers without an Allow that is needed, for the reader who wants one.
    fn missing(&self, wanted: impl Fn(Tri) -> bool, layers: &Layers) -> Vec<Layer> {
        let shape = &self.shape;
        let mut missing = Vec::new();
        let controls = layers.scps.iter().enumerate().filter(|(_, allow)| wanted(**allow)).map(|(level, _)| Layer::ServiceControl(level));
        let guarded = shape.guarded || !shape.same_account;
        let resource = Tri::any([layers.exact, layers.everyone, layers.through, layers.account]);
        if shape.service_caller || shape.anonymous {
            missing.push(Layer::Resource);
        } else {
            if wanted(layers.identity) && !shape.root && layers.through != Tri::True {
                missing.push(Layer::Identity);
            }
            if shape.bounded && wanted(layers.boundary) {
                missing.push(Layer::Boundary);
            }
            if shape.in_session && wanted(layers.session) {
                missing.push(Layer::Session);
            }
            if guarded && wanted(resource) {
                missing.push(Layer::Resource);
            }
        }
        missing.extend(controls);
        if shape.has_endpoint && wanted(layers.endpoint) {
            missing.push(Layer::Endpoint);
        }
        missing
    }

    fn explain(self, verdict: Verdict, best: Verdict, worst: Verdict) -> Decision {
        let layers = self.layers(|hit| if hit.literals.is_empty() { Tri::True } else { Tri::Unknown });
        let certain = |hit: &&Hit<'_>| hit.literals.is_empty();
        let denies = || self.hits.iter().filter(|hit| hit.statement.effect == Effect::Deny);
        let allows = || self.hits.iter().filter(|hit| hit.statement.effect == Effect::Allow);
        let cited: Vec<&Hit<'_>> = match verdict {
            Verdict::ExplicitlyDenied => denies().filter(certain).chain(denies().filter(|hit| !certain(hit))).take(3).collect(),
            Verdict::Allowed => one_per_layer(allows().filter(certain).chain(allows().filter(|hit| !certain(hit))), true),
            Verdict::Conditional => {
                let open: Vec<_> = denies().filter(|hit| !certain(hit)).collect();
                open.into_iter().take(2).chain(one_per_layer(allows(), false)).collect()
            }
            Verdict::ImplicitlyDenied => one_per_layer(allows(), false),
        };
        let missing = match verdict {
            // No Allow would help.
            Verdict::ImplicitlyDenied if self.shape.reserved => Vec::new(),
            Verdict::ImplicitlyDenied => self.missing(|allow| allow != Tri::True, &layers),
            _ => Vec::new(),
        };
        let layer = match verdict {
            Verdict::ImplicitlyDenied => missing.first().copied(),
            Verdict::Allowed => cited
                .iter()
                .filter(|hit| matches!(hit.layer, Layer::Identity | Layer::Resource))
                .map(|hit| hit.layer)
                .max_by_key(|layer| (*layer == Layer::Resource) == (layers.exact.or(layers.everyone) == Tri::True)),
            _ => cited.first().map(|hit| hit.layer),
        };
        let statements: Vec<Cited> = cited.into_iter().map(Cited::from).collect();
        let used = |atom: usize| self.hits.iter().any(|hit| hit.literals.iter().any(|literal| literal.atom == atom));
        let residual = if verdict == Verdict::Conditional { self.atoms.residual(used) } else { Vec::new() };
        Decision { verdict, best, worst, layer, statements, missing, residual, chosen: Vec::new(), unread: self.unread.to_vec() }
    }
}

/// The first statement of each layer; of a resource policy the one that grants most by itself, for one that names the
/// caller's account only delegates. `ranked`: what comes first is surer, and no later one takes its place.
fn one_per_layer<'h, 'p: 'h>(hits: impl Iterator<Item = &'h Hit<'p>>, ranked: bool) -> Vec<&'h Hit<'p>> {
    let mut kept: Vec<&Hit<'_>> = Vec::new();
    for hit in hits {
        match kept.iter_mut().find(|other| other.layer == hit.layer) {
            None => kept.push(hit),
            Some(other) => {
                let as_sure = !ranked || hit.literals.is_empty() || !other.literals.is_empty();
                if hit.layer == Layer::Resource && as_sure && hit.named > other.named {
                    *other = hit;
                }
            }
        }
    }
    kept.sort_by_key(|hit| hit.layer);
    kept
}
