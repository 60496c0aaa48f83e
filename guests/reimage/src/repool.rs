//! The commands that put a host back into its services, or take it out of them: for this host and no other.

use wreimage_sdk::FollowUp;
use wreimage_sdk::conftool::PoolObject;

/// How to pool each object that served before it was set to `now`, and what else must be set for it to serve. One that did not
/// serve is no doing of this run: see [`idle`].
pub fn pooled_before(fqdn: &str, before: &[PoolObject], now: &str) -> Vec<FollowUp> {
    before
        .iter()
        .filter(|object| object.pooled != now && object.pooled == "yes")
        .flat_map(|object| repool(fqdn, object, now))
        .collect()
}

/// How to pool each object that is not pooled, whoever has taken it out.
pub fn idle(fqdn: &str, objects: &[PoolObject]) -> Vec<FollowUp> {
    let idle = objects.iter().filter(|object| object.pooled != "yes");
    idle.map(|object| {
        let text = format!(
            "{fqdn} was pooled={} in {} ({}, {}) already; an earlier run may have depooled it: pool it only if it shall serve",
            object.pooled, object.service, object.cluster, object.dc
        );
        let selector = selector(fqdn, object);
        let command = format!("sudo confctl select {selector} set/pooled=yes");
        FollowUp::new(&key("repool", object), text, command)
    })
    .collect()
}

/// The key of a follow-up about this object.
fn key(what: &str, object: &PoolObject) -> String {
    let PoolObject {
        dc,
        cluster,
        service,
        ..
    } = object;
    format!("{what}/{dc}/{cluster}/{service}")
}

/// The command that takes the host out of all its services.
pub fn depool(fqdn: &str, value: &str) -> String {
    let set = quoted(&format!("set/pooled={value}"));
    format!("sudo confctl select 'name={}' {set}", literal(fqdn))
}

fn repool(fqdn: &str, object: &PoolObject, now: &str) -> Vec<FollowUp> {
    let service = format!("{} ({}, {})", object.service, object.cluster, object.dc);
    let selector = selector(fqdn, object);
    let text = format!(
        "{fqdn} is pooled={now} in {service} and was pooled={} before",
        object.pooled
    );
    let set = quoted(&format!("set/pooled={}", object.pooled));
    let command = format!("sudo confctl select {selector} {set}");
    let mut follow_ups = vec![FollowUp::new(&key("repool", object), text, command)];
    if object.weight == 0 {
        let text = format!(
            "{fqdn} has the weight 0 in {service}, and gets no traffic before it has another; replace NN"
        );
        let command = format!("sudo confctl select {selector} set/weight=NN");
        follow_ups.push(FollowUp::new(&key("weight", object), text, command));
    }
    follow_ups
}

/// Names the host first: without it the command would be for every host of the service. Each value is a regular
/// expression to conftool.
fn selector(fqdn: &str, object: &PoolObject) -> String {
    format!(
        "'name={},dc={},cluster={},service={}'",
        literal(fqdn),
        literal(&object.dc),
        literal(&object.cluster),
        literal(&object.service)
    )
}

/// A regular expression for just this text, to stand between single quotes.
fn literal(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '/' | ':' => c.to_string(),
            '.' => "\\.".to_owned(),
            // No name has others. One that does must not end the quotes or the selector: it is matched by any character.
            _ => ".".to_owned(),
        })
        .collect()
}

/// Quoted where a shell would see more than a word.
fn quoted(word: &str) -> String {
    let is_plain = word
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'=' | b'-' | b'_'));
    if is_plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(service: &str, pooled: &str, weight: u32) -> PoolObject {
        PoolObject {
            dc: "eqiad".to_owned(),
            cluster: "appserver".to_owned(),
            service: service.to_owned(),
            pooled: pooled.to_owned(),
            weight,
            extra: Vec::new(),
        }
    }

    fn commands(before: &[PoolObject]) -> Vec<String> {
        pooled_before("host1001.eqiad.wmnet", before, "inactive")
            .into_iter()
            .map(|it| it.command)
            .collect()
    }

    #[test]
    fn a_repool_is_for_this_host_only() {
        assert_eq!(
            commands(&[object("nginx", "yes", 10), object("apache2", "no", 1)]),
            [
                r"sudo confctl select 'name=host1001\.eqiad\.wmnet,dc=eqiad,cluster=appserver,service=nginx' set/pooled=yes",
            ]
        );
    }

    #[test]
    fn a_depool_is_for_this_host_only() {
        assert_eq!(
            depool("host1001.eqiad.wmnet", "inactive"),
            r"sudo confctl select 'name=host1001\.eqiad\.wmnet' set/pooled=inactive"
        );
    }

    #[test]
    fn what_was_not_changed_is_not_set_back() {
        assert!(commands(&[object("nginx", "inactive", 0)]).is_empty());
    }

    /// An earlier run has set it to `inactive`, this one to `no`: who follows a command that sets `inactive` again leaves the
    /// host out.
    #[test]
    fn what_did_not_serve_is_offered_to_be_pooled_and_never_to_be_taken_out() {
        let fqdn = "host1001.eqiad.wmnet";
        let before = [object("nginx", "inactive", 10), object("apache2", "yes", 1)];
        assert_eq!(pooled_before(fqdn, &before, "no").len(), 1);
        let first = &idle(fqdn, &before)[0];
        assert_eq!(idle(fqdn, &before).len(), 1);
        assert!(first.text.contains("pooled=inactive in nginx"), "{first:?}");
        assert!(
            first.command.ends_with("service=nginx' set/pooled=yes"),
            "{first:?}"
        );
    }

    #[test]
    fn without_a_weight_it_gets_no_traffic() {
        assert_eq!(
            commands(&[object("nginx", "yes", 0)])[1],
            r"sudo confctl select 'name=host1001\.eqiad\.wmnet,dc=eqiad,cluster=appserver,service=nginx' set/weight=NN"
        );
    }

    #[test]
    fn no_name_leaves_its_quotes() {
        let [command] = &commands(&[object("a'; reboot, $(x) .*", "yes", 1)])[..] else {
            panic!("one command");
        };
        assert!(
            command.ends_with(r"service=a...reboot....x..\..' set/pooled=yes"),
            "{command}"
        );
        assert!(depool("host1001.eqiad.wmnet", "y'es").ends_with(r"'set/pooled=y'\''es'"));
    }
}
