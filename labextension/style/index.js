import './base.css';
import './lab.css';
import './changes.css';
import './panel.css';
import './tokens.css';
