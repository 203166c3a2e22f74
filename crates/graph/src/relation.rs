//! One-to-many relations between two lists, as flat arrays: no allocation per row.

/// For each row of the left list, positions in the right list, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Relation {
    starts: Vec<u32>,
    targets: Vec<u32>,
}

impl Relation {
    /// Builds from `(left, right)` pairs; `rows` is the length of the left list.
    pub(crate) fn new(rows: usize, mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = vec![0_u32; rows + 1];
        for &(left, _) in &pairs {
            if let Some(count) = starts.get_mut(left as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self { starts, targets: pairs.into_iter().map(|(_, right)| right).collect() }
    }

    /// The right-hand positions of a row.
    pub(crate) fn of(&self, row: u32) -> &[u32] {
        let row = row as usize;
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(&start), Some(&end)) => self.targets.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Relation;

    #[test]
    fn rows_keep_their_targets_in_order_and_once() {
        let relation = Relation::new(3, vec![(2, 7), (0, 5), (2, 6), (2, 7)]);
        assert_eq!(relation.of(0), [5]);
        assert_eq!(relation.of(1), [0; 0]);
        assert_eq!(relation.of(2), [6, 7]);
        assert_eq!(relation.of(3), [0; 0]);
    }
}
