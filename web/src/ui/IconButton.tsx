/** A button that is a picture with a name. */

import type { LucideIcon } from "lucide-react";
import styles from "@/ui/ui.module.css";

interface IconButtonProps {
  icon: LucideIcon;
  label: string;
  /** Keys to show beside the name. */
  keys?: string | undefined;
  disabled?: boolean | undefined;
  pressed?: boolean;
  onClick: () => void;
}

export function IconButton({
  icon: Icon,
  label,
  keys,
  disabled,
  pressed,
  onClick,
}: IconButtonProps) {
  return (
    <button
      type="button"
      className={styles.iconButton}
      aria-label={label}
      title={keys ? `${label} (${keys})` : label}
      disabled={disabled}
      aria-pressed={pressed}
      onClick={onClick}
    >
      <Icon size={16} strokeWidth={1.75} />
    </button>
  );
}
