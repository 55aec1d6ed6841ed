{{/*
What no schema can say: that values fit together. Every sentence names the value and what to do.
*/}}

{{/* Names of librdkafka properties and options whose value nobody may see, as the connector has them (a test compares). */}}
{{- define "commerce-connector.secretProperty" -}}
password|passphrase|secret|token|\.key$|key\.pem|jaas|oauthbearer\.config
{{- end -}}

{{- define "commerce-connector.check" -}}
{{- $where := printf "destinations.%s" .entry.key -}}
{{- $config := .entry.config -}}
{{- $source := $config.source | default dict -}}
{{- $destination := $config.destination | default dict -}}

{{- if gt (len .entry.fullname) 63 -}}
{{- fail (printf "%s: the name %s is longer than the 63 characters that Kubernetes takes; set fullnameOverride, or choose a shorter key" $where .entry.fullname) -}}
{{- end -}}

{{- if not $destination.name -}}
{{- fail (printf "%s.config.destination.name is missing: which destination events go to" $where) -}}
{{- end -}}
{{- if not $source.topics -}}
{{- fail (printf "%s: config.source.topics is missing: the topics to read, here or in the shared config" $where) -}}
{{- end -}}
{{- if not $source.group_id -}}
{{- fail (printf "%s.config.source.group_id is missing: the consumer group, which keeps how far this destination has come; another name would begin anew" $where) -}}
{{- end -}}
{{- if not (get ($source.properties | default dict) "bootstrap.servers") -}}
{{- fail (printf "%s: config.source.properties has no bootstrap.servers: the Kafka brokers, here or in the shared config" $where) -}}
{{- end -}}

{{- include "commerce-connector.checkSecrets" (dict "where" $where "entry" .entry "source" $source "destination" $destination) -}}

{{- $port := include "commerce-connector.port" . | int -}}
{{- if eq $port 0 -}}
{{- fail (printf "%s: config.http.port 0 takes any free port, which no probe would find" $where) -}}
{{- end -}}
{{- $host := dig "http" "host" "0.0.0.0" $config -}}
{{- if or (hasPrefix "127." $host) (eq $host "localhost") (eq $host "::1") -}}
{{- fail (printf "%s: config.http.host %s is not reached by probes and Prometheus; leave it out" $where $host) -}}
{{- end -}}

{{- $needed := include "commerce-connector.graceNeeded" . | int -}}
{{- $grace := include "commerce-connector.grace" . | int -}}
{{- if lt $grace $needed -}}
{{- fail (printf "%s: terminationGracePeriodSeconds is %d, but config.limits.shutdown_timeout_s and 10 s to close connections need %d: leave it out, raise it, or lower config.limits.shutdown_timeout_s, else Kubernetes cuts work off at every stop" $where $grace $needed) -}}
{{- end -}}

{{- include "commerce-connector.checkMemory" (dict "where" $where "entry" .entry) -}}

{{- if .entry.autoscaling.enabled -}}
{{- if not .entry.autoscaling.prometheusAddress -}}
{{- fail (printf "%s: autoscaling.prometheusAddress is missing: KEDA asks Prometheus for connector_scalable_lag" $where) -}}
{{- end -}}
{{- if lt (int .entry.autoscaling.maxReplicas) (int .entry.autoscaling.minReplicas) -}}
{{- fail (printf "%s: autoscaling.maxReplicas is below autoscaling.minReplicas" $where) -}}
{{- end -}}
{{- if and (gt (len .entry.fullname) 46) (not .entry.autoscaling.query) -}}
{{- fail (printf "%s: the name %s is longer than 46 characters, so that Kubernetes shortens those of its pods and autoscaling would not find their lag; set fullnameOverride, choose a shorter key, or give autoscaling.query" $where .entry.fullname) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Secrets come by reference: one that stands in the configuration would be in a ConfigMap, for many to read. */}}
{{- define "commerce-connector.checkSecrets" -}}
{{- $where := .where -}}
{{- $secrets := .entry.secrets -}}
{{- $plain := list -}}
{{- if .destination.api_key }}{{ $plain = append $plain "destination.api_key" }}{{ end -}}
{{- if dig "schema_registry" "auth" "" .source }}{{ $plain = append $plain "source.schema_registry.auth" }}{{ end -}}
{{- range $name := keys (.source.properties | default dict) | sortAlpha -}}
{{- if and (regexMatch (include "commerce-connector.secretProperty" $) $name) (not (hasSuffix "_file" $name)) (not (hasSuffix ".location" $name)) -}}
{{- $plain = append $plain (printf "source.properties.%s" $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := keys (.destination.options | default dict) | sortAlpha -}}
{{- if and (regexMatch (include "commerce-connector.secretProperty" $) $name) (not (hasSuffix "_file" $name)) -}}
{{- $plain = append $plain (printf "destination.options.%s" $name) -}}
{{- end -}}
{{- end -}}
{{- range $path := $plain -}}
{{- fail (printf "%s: config.%s would be readable by everybody who may see the ConfigMap; give it by reference: secrets: {%q: {existingSecret: NAME, key: KEY}}" $where $path $path) -}}
{{- end -}}

{{- $fromEnv := false -}}
{{- range .entry.extraEnv -}}
{{- if eq .name "CONNECTOR_DESTINATION__API_KEY" "CONNECTOR_DESTINATION__API_KEY_FILE" }}{{ $fromEnv = true }}{{ end -}}
{{- end -}}
{{- if not (or (get $secrets "destination.api_key") .destination.api_key_file $fromEnv) -}}
{{- fail (printf "%s.secrets has no destination.api_key: where the vendor's key is, {existingSecret: NAME, key: KEY}" $where) -}}
{{- end -}}

{{- range $path, $reference := $secrets -}}
{{- if $reference -}}
{{- if not (or $reference.existingSecret $reference.existingConfigMap) -}}
{{- fail (printf "%s: secrets.%s names neither existingSecret nor existingConfigMap" $where $path) -}}
{{- end -}}
{{- if and $reference.existingSecret $reference.existingConfigMap -}}
{{- fail (printf "%s: secrets.%s names existingSecret and existingConfigMap; keep one" $where $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The process needs more than what is in flight: Python, librdkafka and a batch being built (docs/helm.md). */}}
{{- define "commerce-connector.checkMemory" -}}
{{- $limit := dig "limits" "memory" "" (.entry.resources | default dict) | toString -}}
{{- $budget := dig "limits" "memory_mib" 256 .entry.config | int -}}
{{- $units := dict "Ki" 0.0009765625 "Mi" 1.0 "Gi" 1024.0 "Ti" 1048576.0 "k" 0.00095367 "M" 0.95367 "G" 953.67 "T" 953674.3 "" 0.00000095367 -}}
{{- if regexMatch "^[0-9.]+(Ki|Mi|Gi|Ti|k|M|G|T)?$" $limit -}}
{{- $number := regexFind "^[0-9.]+" $limit -}}
{{- $mib := mulf (float64 $number) (get $units (trimPrefix $number $limit)) | floor | int -}}
{{- if lt $mib (add $budget 128 | int) -}}
{{- fail (printf "%s: resources.limits.memory is %s, but config.limits.memory_mib %d and 128 MiB for the process itself need %dMi: raise the one or lower the other, else the pod is killed for memory when it is busiest" .where $limit $budget (add $budget 128)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What must hold between the destinations and for the release. Called once. */}}
{{- define "commerce-connector.checkAll" -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled -}}
{{- fail "monitoring: podMonitor and serviceMonitor are both enabled, so everything would be scraped and counted twice; keep podMonitor" -}}
{{- end -}}
{{- $groups := dict -}}
{{- range $key := (include "commerce-connector.keys" . | fromYaml).keys -}}
{{- $entry := include "commerce-connector.entry" (dict "root" $ "key" $key) | fromYaml -}}
{{- $group := $entry.config.source.group_id -}}
{{- if hasKey $groups $group -}}
{{- fail (printf "destinations.%s and destinations.%s share the consumer group %s, so each would get only a part of the events; give each its own config.source.group_id" (get $groups $group) $key $group) -}}
{{- end -}}
{{- $_ := set $groups $group $key -}}
{{- end -}}
{{- end -}}
