#!/bin/sh
# Prometheus 2.42.0: increase(), rate() and resets() see nothing of a restart when the new process' counter is, at its first
# scrape, where the old one ended; of a higher one they see the difference alone.
#
# What one would expect: a restart of the target is a reset of its counters and adjusted for, as the documentation says, so
# a process that starts at 0 and counts to 300 before it is scraped adds 300. A reset is only recognised by a fall. So a
# counter of what each crash cost (300 gaps found at every start, say) draws a flat line through a crash loop, and the
# alarm on increase(x[5m]) > 0 stays silent from the second crash on, although it fired at the first. 299 after 300 is
# seen as an increase of about 299, which hides it in a test with other numbers. What helps is a second condition:
# x > 0 and on (instance) time() - process_start_time_seconds < 300.
#
# Seen, over a restart at 300: to 299 an increase of 299 (1 reset), to 300 one of 0 (0 resets), to 301 one of 1 (0 resets).
#
# Needs apt-get with its lists (Debian 12) and no root: the package is unpacked in a temporary folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq "prometheus=2.42.0+ds-5+deb12u1" 2>/dev/null
dpkg-deb --extract prometheus_*.deb .
# One scrape a minute: 300 until minute 5, the new process from minute 6 on.
cat > test.yml <<'YAML'
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'lost{to="299"}', values: '300x5 299x4'}
      - {series: 'lost{to="300"}', values: '300x5 300x4'}
      - {series: 'lost{to="301"}', values: '300x5 301x4'}
      - {series: 'process_start_time_seconds', values: '0x5 330x4'}
    promql_expr_test:
      - eval_time: 10m
        expr: round(increase(lost[10m]))
        exp_samples: [{labels: '{to="299"}', value: 299}, {labels: '{to="300"}', value: 0}, {labels: '{to="301"}', value: 1}]
      - eval_time: 10m
        expr: resets(lost[10m])
        exp_samples: [{labels: '{to="299"}', value: 1}, {labels: '{to="300"}', value: 0}, {labels: '{to="301"}', value: 0}]
      - eval_time: 10m
        expr: changes(process_start_time_seconds[10m])
        exp_samples: [{labels: '{}', value: 1}]
YAML
./usr/bin/promtool --version 2>&1 | head -n 1
./usr/bin/promtool test rules test.yml
