{{/*
Name of the namespaced objects: the chart's, with the release in front unless it already holds it,
so that two releases in one namespace don't meet.
*/}}
{{- define "stageset-controller.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
Name of the cluster-scoped RBAC objects: chart, namespace and release. The colons can't appear in
the parts, so no two releases of a cluster can produce the same name.
*/}}
{{- define "stageset-controller.clusterName" -}}
{{- printf "%s:%s:%s" .Chart.Name .Release.Namespace .Release.Name -}}
{{- end -}}

{{/*
Name of the ValidatingWebhookConfiguration, which may not hold colons. A namespace holds no dot, so
the second part ends where it seems to.
*/}}
{{- define "stageset-controller.webhookConfiguration" -}}
{{- printf "%s.%s.%s" .Chart.Name .Release.Namespace .Release.Name -}}
{{- end -}}

{{/*
The Lease: the reference's name for a release of the chart's name, another for every other release
of the namespace.
*/}}
{{- define "stageset-controller.lease" -}}
{{- printf "%s.stages.metio.wtf" (include "stageset-controller.name" .) -}}
{{- end -}}

{{/* What Services, PodDisruptionBudget and policies select: the controller's pods, no others. */}}
{{- define "stageset-controller.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "stageset-controller.commonLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "stageset-controller.labels" -}}
{{ include "stageset-controller.commonLabels" . }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "stageset-controller.cleanupLabels" -}}
{{ include "stageset-controller.commonLabels" . }}
app.kubernetes.io/component: cleanup
{{- end -}}

{{- define "stageset-controller.subjects" -}}
- kind: ServiceAccount
  name: {{ include "stageset-controller.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/*
Bindings of a ClusterRole whose rights belong where StageSets live: one for the cluster, or one in
each watched namespace. Arguments: the context and the role's last part.
*/}}
{{- define "stageset-controller.bindWhereStageSetsLive" -}}
{{- $context := index . 0 -}}
{{- $part := index . 1 -}}
{{- $name := printf "%s:%s" (include "stageset-controller.clusterName" $context) $part -}}
{{- if $context.Values.controller.watchNamespaces -}}
{{- range $context.Values.controller.watchNamespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  # Several releases may name the same namespace while one is being replaced by the other.
  name: {{ $name }}
  namespace: {{ . }}
  labels:
    {{- include "stageset-controller.labels" $context | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  {{- include "stageset-controller.subjects" $context | nindent 2 }}
{{- end }}
{{- else }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- include "stageset-controller.labels" $context | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $name }}
subjects:
  {{- include "stageset-controller.subjects" $context | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
The namespaces that have left the list, joined by commas, or * for every one that isn't listed. Unless
they are named, an upgrade compares the list with that of the Deployment that stands; without a cluster
to look at (helm template) there is nothing to compare. Namespaces that are gone or going need nothing.
*/}}
{{- define "stageset-controller.left" -}}
{{- $stays := .Values.controller.watchNamespaces -}}
{{- $named := .Values.controller.leaveNamespaces -}}
{{- if $named -}}
{{- if not $stays }}
{{- fail "controller.leaveNamespaces: no namespace has left an empty list; set controller.watchNamespaces to those that stay" }}
{{- end }}
{{- if and (has "*" $named) (gt (len $named) 1) }}
{{- fail "controller.leaveNamespaces: * stands for every namespace that isn't watched and must stand alone" }}
{{- end }}
{{- range $named }}
{{- if has . $stays }}
{{- fail (printf "controller.leaveNamespaces: %s stands in controller.watchNamespaces as well; take it out of one of the two" .) }}
{{- end }}
{{- end }}
{{- join "," $named -}}
{{- else if and $stays .Release.IsUpgrade -}}
{{- $deployment := lookup "apps/v1" "Deployment" .Release.Namespace (include "stageset-controller.name" .) -}}
{{- range dig "spec" "template" "spec" "containers" list $deployment -}}
{{- if eq .name "controller" -}}
{{- $before := "*" -}}
{{- range .args -}}
{{- if hasPrefix "--watch-namespaces=" . -}}
{{- $before = trimPrefix "--watch-namespaces=" . -}}
{{- end -}}
{{- end -}}
{{- if eq $before "*" -}}
*
{{- else -}}
{{- $left := list -}}
{{- range splitList "," $before -}}
{{- if not (has . $stays) -}}
{{- $phase := dig "status" "phase" "" (lookup "v1" "Namespace" "" .) -}}
{{- if eq $phase "Active" -}}
{{- $left = append $left . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- join "," $left -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* `cpu`, `memory`, `ephemeralStorage` as requests and limits alike. */}}
{{- define "stageset-controller.resources" -}}
{{- $amounts := dict "cpu" (toString .cpu) "memory" (toString .memory) "ephemeral-storage" (toString .ephemeralStorage) -}}
{{- toYaml (dict "requests" $amounts "limits" $amounts) -}}
{{- end -}}

{{/* What makes an object part of the cleanup before an uninstall; the argument is its weight. */}}
{{- define "stageset-controller.cleanupHook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
