{{/*
One destination's values: what all share, and over it what its entry says.
*/}}

{{/*
Puts the map "above" over the map "below", in place. Lists are replaced; null takes a shared value away. In the
connector's configuration a null stays, where it is a value like any other.
*/}}
{{- define "commerce-connector.overlay" -}}
{{- range $key, $value := .above -}}
{{- if kindIs "map" $value -}}
{{- if not (kindIs "map" (get $.below $key)) }}{{ $_ := set $.below $key dict }}{{ end -}}
{{- $nulls := or $.nulls (eq $key "config") -}}
{{- include "commerce-connector.overlay" (dict "below" (get $.below $key) "above" $value "nulls" $nulls) -}}
{{- else if and (kindIs "invalid" $value) (not $.nulls) -}}
{{- $_ := unset $.below $key -}}
{{- else -}}
{{- $_ := set $.below $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The values of the entry "key", with its key and full name; as YAML, to be read back by fromYaml. */}}
{{- define "commerce-connector.entry" -}}
{{- $notShared := list "nameOverride" "fullnameOverride" "commonLabels" "commonAnnotations" "serviceAccount" "monitoring" "destinations" "extraObjects" "global" -}}
{{- $entry := dict -}}
{{- range $values := list .root.Values (get .root.Values.destinations .key) -}}
{{- range $name, $value := $values -}}
{{- if not (has $name $notShared) -}}
{{- include "commerce-connector.overlay" (dict "below" $entry "above" (dict $name $value)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $entry "key" .key -}}
{{- $_ := set $entry "fullname" (printf "%s-%s" (include "commerce-connector.fullname" .root) .key) -}}
{{- include "commerce-connector.check" (dict "root" .root "entry" $entry) -}}
{{- toYaml $entry -}}
{{- end -}}

{{/* The destinations that are on, as a list of keys. */}}
{{- define "commerce-connector.keys" -}}
{{- $keys := list -}}
{{- range $key, $entry := .Values.destinations -}}
{{- if and $entry (dig "enabled" true $entry) -}}
{{- $keys = append $keys $key -}}
{{- end -}}
{{- end -}}
{{- toYaml (dict "keys" ($keys | sortAlpha)) -}}
{{- end -}}

{{/* True (not empty) with more than one pod, now or by autoscaling. */}}
{{- define "commerce-connector.several" -}}
{{- $least := ternary .entry.autoscaling.minReplicas .entry.replicas .entry.autoscaling.enabled -}}
{{- if gt (int $least) 1 }}true{{ end -}}
{{- end -}}

{{/* ── the connector's configuration ─────────────────────────────────────────────────────────── */}}

{{- define "commerce-connector.secretsFolder" -}}/etc/connector/secrets{{- end -}}
{{- define "commerce-connector.configFile" -}}/etc/connector/config/connector.yaml{{- end -}}

{{/* The file: the entry's configuration, and for every secret the name of the file that it is mounted as. */}}
{{- define "commerce-connector.config" -}}
{{- $config := deepCopy .entry.config -}}
{{- $folder := include "commerce-connector.secretsFolder" . -}}
{{- range $path, $reference := .entry.secrets -}}
{{- if $reference -}}
{{- $steps := list -}}
{{- range $section := list "source.properties" "source.schema_registry" "destination.options" "destination" -}}
{{- if and (not $steps) (hasPrefix (printf "%s." $section) $path) -}}
{{- $steps = append (splitList "." $section) (trimPrefix (printf "%s." $section) $path) -}}
{{- end -}}
{{- end -}}
{{- $above := dict (printf "%s_file" (last $steps)) (printf "%s/%s" $folder $path) -}}
{{- range $step := initial $steps | reverse -}}
{{- $above = dict $step $above -}}
{{- end -}}
{{- include "commerce-connector.overlay" (dict "below" $config "above" $above "nulls" true) -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "commerce-connector.port" -}}
{{- dig "http" "port" 8080 .entry.config | int -}}
{{- end -}}

{{- define "commerce-connector.deadLetterTopic" -}}
{{- dig "dead_letter" "topic" "" .entry.config | default (printf "%s.dead-letter" .entry.config.source.group_id) -}}
{{- end -}}

{{/* ── time to stop ──────────────────────────────────────────────────────────────────────────── */}}

{{/* What a stop may take: the connector's own limit, and 10 s to hear of it and to close connections. */}}
{{- define "commerce-connector.graceNeeded" -}}
{{- add (dig "limits" "shutdown_timeout_s" 25 .entry.config | float64 | ceil | int) 10 -}}
{{- end -}}

{{- define "commerce-connector.grace" -}}
{{- .entry.terminationGracePeriodSeconds | default (include "commerce-connector.graceNeeded" .) | int -}}
{{- end -}}

{{/* ── image ─────────────────────────────────────────────────────────────────────────────────── */}}

{{- define "commerce-connector.image" -}}
{{- $image := .entry.image -}}
{{- $name := $image.repository -}}
{{- if $image.registry }}{{ $name = printf "%s/%s" $image.registry $name }}{{ end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
