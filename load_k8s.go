package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rtmkit/rtmkit/loadgen"
)

type loadK8sCommand struct {
	Workload string `arg:"" help:"Name of a ready workload, or the path of a workload file."`

	Shards       int    `required:"" placeholder:"N" help:"How many pods play the workload together, each a part of it."`
	Image        string `required:"" placeholder:"IMAGE" help:"Image with rtmkit on its PATH."`
	Server       string `required:"" placeholder:"URL" help:"Server under load, as the pods reach it."`
	StartAt      string `placeholder:"TIME" help:"When all pods begin, such as 2030-01-31T12:00:00Z, or +5m (default: +2m). Every pod has to run by then."`
	AppID        string `default:"${app_id}" placeholder:"ID" help:"App to log in to."`
	Secret       string `placeholder:"NAME" help:"Secret whose key certificate is the app certificate; the pods mint tokens with it."`
	TokenCommand string `placeholder:"CMD" help:"Command in the image that prints a token for the app RTM_APP_ID and the user RTM_UID (default with --secret: rtmkit token mint)."`

	Name    string `default:"rtmkit-load" placeholder:"NAME" help:"Name of everything that is made."`
	CPU     string `name:"cpu" default:"2" placeholder:"CORES" help:"Cores of each pod. Whole ones keep the schedule best."`
	Memory  string `default:"1Gi" placeholder:"SIZE" help:"Memory of each pod."`
	Storage string `default:"1Gi" placeholder:"SIZE" help:"Size of the volume for the run folders."`
}

// Run prints the manifest; nothing is sent anywhere.
func (c *loadK8sCommand) Run(a *app) error {
	text, err := c.manifest(time.Now())
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

// object is a part of a manifest; the encoder puts its keys in alphabetical order.
type object = map[string]any

// manifest returns the manifest with the comments that a user of it needs.
func (c *loadK8sCommand) manifest(now time.Time) ([]byte, error) {
	workload, err := c.workload()
	if err != nil {
		return nil, err
	}
	start, err := c.check(now)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `# A load run in %[2]d parts, as an Indexed Job: pod I plays --shard I/%[2]d.
# All parts begin at %[3]s. Apply this well before, because a pod
# that comes too late fails. Needs Kubernetes 1.29 or newer, and a volume that pods on several nodes can write to.
#
#   kubectl apply -f FILE
#   kubectl get job %[1]s --watch
#
# Then fetch the run folders and make one run of them:
#
#   kubectl run %[1]s-fetch --image=busybox --restart=Never --overrides='%[4]s'
#   kubectl wait --for=condition=Ready pod/%[1]s-fetch
#   kubectl cp %[1]s-fetch:/results results
#   rtmkit load merge results/shard-* --out merged
`, c.Name, c.Shards, start.Format(time.RFC3339), c.fetcher())
	for _, part := range []object{c.configMap(workload), c.claim(), c.job(start)} {
		b.WriteString("---\n")
		encoder := yaml.NewEncoder(&b)
		encoder.SetIndent(2)
		if err := encoder.Encode(part); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// workload returns the text of the workload, which has to be one that pods can play.
func (c *loadK8sCommand) workload() (string, error) {
	name, text := c.Workload, []byte(nil)
	if shelved, ok := shelvedWorkload(c.Workload); ok {
		text = shelved.Text
	} else {
		var err error
		if text, err = os.ReadFile(c.Workload); err != nil {
			return "", fail(exitUsage, "%s: there is no such workload; write the path of a file, or one of %s", c.Workload, shelfNames())
		}
	}
	w, err := loadgen.ParseWorkload(name, text)
	if err != nil {
		return "", fail(exitUsage, "%w", err)
	}
	if i := slices.IndexFunc(w.Traffic, func(t loadgen.Traffic) bool { return t.Trace != "" }); i >= 0 {
		return "", fail(exitUsage, "%s: traffic[%d] replays the file %s, which the pods would not have", name, i, w.Traffic[i].Trace)
	}
	if c.Shards > w.Sessions.Count {
		return "", fail(exitUsage, "--shards %d: the workload has only %d sessions", c.Shards, w.Sessions.Count)
	}
	return string(text), nil
}

// The names that Kubernetes takes, and the amounts.
var (
	k8sName   = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,50}[a-z0-9])?$`)
	k8sAmount = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(m|[kMGT]i?|Ki)?$`)
)

func (c *loadK8sCommand) check(now time.Time) (start time.Time, err error) {
	if c.Shards < 1 || c.Shards > loadgen.MaxShards {
		return start, fail(exitUsage, "--shards %d: give 1 to %d", c.Shards, loadgen.MaxShards)
	}
	if strings.TrimSpace(c.Image) == "" {
		return start, fail(exitUsage, "--image: name the image")
	}
	if err := loadgen.CheckURL(c.Server); err != nil {
		return start, fail(exitUsage, "--server: %w", err)
	}
	for flag, name := range map[string]string{"--name": c.Name, "--secret": c.Secret} {
		if name != "" && !k8sName.MatchString(name) {
			return start, fail(exitUsage, "%s %s: a name is made of up to 52 small letters, digits and hyphens, and begins with a letter", flag, name)
		}
	}
	for flag, amount := range map[string]string{"--cpu": c.CPU, "--memory": c.Memory, "--storage": c.Storage} {
		if !k8sAmount.MatchString(amount) {
			return start, fail(exitUsage, "%s %s: write an amount of Kubernetes, such as 2, 500m or 1Gi", flag, amount)
		}
	}
	at := c.StartAt
	if at == "" {
		at = "+2m"
	}
	if after, relative := strings.CutPrefix(at, "+"); relative {
		d, err := time.ParseDuration(after)
		if err != nil || d <= 0 {
			return start, fail(exitUsage, "--start-at %s: write it like +2m, or like 2030-01-31T12:00:00Z", at)
		}
		return now.Add(d).UTC().Truncate(time.Second), nil
	}
	if start, err = time.Parse(time.RFC3339, at); err != nil {
		return start, fail(exitUsage, "--start-at %s: write it like +2m, or like 2030-01-31T12:00:00Z", at)
	}
	if start = start.UTC(); start.Before(now) {
		return start, fail(exitUsage, "--start-at %s: that is in the past", at)
	}
	return start, nil
}

func (c *loadK8sCommand) metadata() object {
	return object{"name": c.Name, "labels": object{"app.kubernetes.io/name": "rtmkit", "app.kubernetes.io/instance": c.Name}}
}

func (c *loadK8sCommand) configMap(workload string) object {
	return object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": c.metadata(), "data": object{"workload.yaml": workload}}
}

func (c *loadK8sCommand) claim() object {
	return object{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": c.metadata(),
		"spec": object{
			"accessModes": []string{"ReadWriteMany"},
			"resources":   object{"requests": object{"storage": c.Storage}},
		},
	}
}

// args are the arguments of each pod. The server of the cluster replaces $(NAME); anything else that looks so is escaped.
func (c *loadK8sCommand) args(start time.Time) []string {
	escape := func(s string) string { return strings.ReplaceAll(s, "$(", "$$(") }
	args := []string{
		"load", "run", "/workload/workload.yaml", "--server", escape(c.Server), "--app-id", escape(c.AppID),
		"--shard", fmt.Sprintf("$(JOB_COMPLETION_INDEX)/%d", c.Shards), "--start-at", start.Format(time.RFC3339),
		"--out", "/results/shard-$(JOB_COMPLETION_INDEX)",
	}
	command := c.TokenCommand
	if command == "" && c.Secret != "" {
		command = `rtmkit token mint --app-id "$RTM_APP_ID" --uid "$RTM_UID"`
	}
	if command != "" {
		args = append(args, "--token-command", escape(command))
	}
	return args
}

func (c *loadK8sCommand) job(start time.Time) object {
	amounts := object{"cpu": c.CPU, "memory": c.Memory}
	container := object{
		"name": "load", "image": c.Image, "command": []string{"rtmkit"}, "args": c.args(start),
		"resources": object{"requests": amounts, "limits": amounts},
		"securityContext": object{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": object{"drop": []string{"ALL"}},
		},
		"volumeMounts": []object{
			{"name": "workload", "mountPath": "/workload", "readOnly": true},
			{"name": "results", "mountPath": "/results"},
		},
	}
	if c.Secret != "" {
		container["env"] = []object{{
			"name": "RTMKIT_CERTIFICATE", "valueFrom": object{"secretKeyRef": object{"name": c.Secret, "key": "certificate"}},
		}}
	}
	pod := object{
		"restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false,
		// Time for an interrupted part to close its sessions and write its folder.
		"terminationGracePeriodSeconds": 60,
		"securityContext": object{
			"runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532, "seccompProfile": object{"type": "RuntimeDefault"},
		},
		"topologySpreadConstraints": []object{{
			"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
			"labelSelector": object{"matchLabels": object{"app.kubernetes.io/instance": c.Name}},
		}},
		"containers": []object{container},
		"volumes": []object{
			{"name": "workload", "configMap": object{"name": c.Name}},
			{"name": "results", "persistentVolumeClaim": object{"claimName": c.Name}},
		},
	}
	return object{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": c.metadata(),
		"spec": object{
			// A part that fails is not repeated, because the others would not wait, and does not end them.
			"completions": c.Shards, "parallelism": c.Shards, "completionMode": "Indexed", "backoffLimitPerIndex": 0,
			"template": object{"metadata": object{"labels": c.metadata()["labels"]}, "spec": pod},
		},
	}
}

// fetcher is the pod that lets the run folders be copied, as kubectl takes it.
func (c *loadK8sCommand) fetcher() string {
	return fmt.Sprintf(`{"spec":{"containers":[{"name":"fetch","image":"busybox","command":["sleep","3600"],`+
		`"volumeMounts":[{"name":"results","mountPath":"/results"}]}],"volumes":[{"name":"results","persistentVolumeClaim":{"claimName":"%s"}}]}}`, c.Name)
}
